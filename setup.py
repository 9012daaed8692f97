"""The native engine of the package; all else stands in setup.cfg.

It is optional: where no compiler is at hand, the package works without it, slower.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "stance._native",
            ["stance/_native.pyx"],
            depends=["stance/_native.hpp"],
            language="c++",
            extra_compile_args=["-std=c++17", "-O3"],
            optional=True,
        )
    ]
)
