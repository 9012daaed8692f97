# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The native engine: normalisation, and features counted, weighted and scored in one pass.

The rules are those of :mod:`stance.text` and :mod:`stance.features`, which do the same in Python
where this module was not built. Texts are read without the interpreter's lock.
"""

from cpython.unicode cimport PyUnicode_FromKindAndData
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.utility cimport pair
from libcpp.vector cimport vector

import numpy as np


cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_UCS4 PyUnicode_READ(int kind, const void* data, Py_ssize_t i) nogil


cdef extern from "_native.hpp" namespace "stance" nogil:
    cdef cppclass Table:
        void set(Py_UCS4 code, const vector[Py_UCS4]& becomes)
        void close()
        vector[Py_UCS4] becomes(Py_UCS4 code)

    cdef cppclass Family:
        int kind
        int32_t base
        vector[double] idf
        cbool counted()

    ctypedef string (*Stem)(void* stemmer, string_view word)

    cdef cppclass Proclitic:
        string form
        int length
        int shortest

    cdef cppclass Index:
        const Table* table
        void* stemmer
        Stem stem
        vector[Family] families
        cbool growing
        vector[string] scope_names
        int reach_before_noun
        int scare_words
        int side_by_side
        int near
        vector[int] poles
        vector[Proclitic] proclitics
        void add_family(int kind, int units, int stems, int smallest, int largest, double weight)
        void set_names(int family, string_view lines, int32_t count)
        string name(const Family& family, int32_t id)
        void add_cue(string_view words, int32_t category)
        void add_mark(string_view word, uint32_t bits)
        void add_pair(string_view first, string_view second, uint8_t bits)

    cdef cppclass Reader:
        Reader(Index& index, size_t limit) except +
        int read(int kind, const void* data, Py_ssize_t size) except +
        void row(vector[int32_t]& indices, vector[double]& data) except +
        int32_t columns(const Family& family)


cdef extern from *:
    """
    #include "_native.hpp"
    namespace stance {
    inline void scored(Reader& reader, const float* weights, int labels, double* out) {
        if (labels == 8)
            reader.score<8>(weights, labels, out);
        else
            reader.score<0>(weights, labels, out);
    }
    inline void spread(Reader& reader, std::vector<std::vector<int64_t>>& texts) {
        reader.drain([&](size_t family, int32_t id, uint32_t) {
            auto& found = texts[family];
            if (found.size() <= size_t(id)) found.resize(2 * size_t(id) + 1);
            found[id]++;
        });
    }
    inline void product(bool transposed, const int32_t* indptr, const int32_t* indices,
                        const float* data, size_t rows, const double* dense, int width, double* out) {
        auto run = transposed ? (width == 4 ? transposed_times<4> : transposed_times<0>)
                              : (width == 4 ? times<4> : times<0>);
        run(indptr, indices, data, rows, dense, width, out);
    }
    }
    """
    void scored "stance::scored"(
        Reader& reader, const float* weights, int labels, double* out
    ) except + nogil
    void spread "stance::spread"(Reader& reader, vector[vector[int64_t]]& texts) except + nogil
    void product "stance::product"(
        cbool transposed, const int32_t* indptr, const int32_t* indices, const float* data,
        size_t rows, const double* dense, int width, double* out
    ) noexcept nogil


# How many different words a reader remembers before it starts anew: bounds the memory.
cdef enum:
    REMEMBERED = 1 << 18


cdef string_view _view(bytes data):
    return string_view(<const char*>data, len(data))


cdef bytes _utf8(text):
    return text.encode("utf-8", "surrogatepass")


cdef string _stem(void* stemmer, string_view word) noexcept with gil:
    text = word.data()[:word.size()].decode("utf-8", "surrogatepass")
    try:
        return _utf8((<object>stemmer)(text))
    except UnicodeEncodeError:  # half a surrogate pair, which no word has
        return _utf8(text)


cdef class Normaliser:
    """A normalisation table made native: see :func:`stance.text.normalise`."""

    cdef Table table

    def __init__(self, table):
        cdef vector[Py_UCS4] becomes
        for char, mapped in table.items():
            becomes.clear()
            for piece in <str>mapped:
                becomes.push_back(<Py_UCS4>piece)
            self.table.set(<Py_UCS4>(<str>char), becomes)
        self.table.close()

    def normalise(self, str text not None):
        """The normalised text, and for each position where it begins and ends in the original."""
        cdef int kind = PyUnicode_KIND(text)
        cdef const void* data = PyUnicode_DATA(text)
        cdef Py_ssize_t size = len(text), i, k
        cdef vector[Py_UCS4] out, pieces
        cdef vector[int] starts, ends
        cdef Py_UCS4 piece
        out.reserve(size)
        starts.reserve(size)
        ends.reserve(size)
        for i in range(size):
            pieces = self.table.becomes(PyUnicode_READ(kind, data, i))
            if pieces.empty() and not out.empty() and out.back() != u" ":
                ends[ends.size() - 1] = <int>(i + 1)
            for k in range(<Py_ssize_t>pieces.size()):
                piece = pieces[k]
                if piece == u" " and (out.empty() or out.back() == u" "):
                    continue
                out.push_back(piece)
                starts.push_back(<int>i)
                ends.push_back(<int>(i + 1))
        if not out.empty() and out.back() == u" ":
            out.pop_back()
            starts.pop_back()
            ends.pop_back()
        return PyUnicode_FromKindAndData(4, out.data(), <Py_ssize_t>out.size()), starts, ends


cdef class _Scratch:
    """What one thread reads with."""

    cdef Reader* reader

    def __dealloc__(self):
        del self.reader


cdef class _Texts:
    """Texts as the engine reads them, held while it does."""

    cdef list held
    cdef vector[int] kinds
    cdef vector[const void*] data
    cdef vector[Py_ssize_t] sizes

    def __init__(self, texts):
        self.held = list(texts)
        for text in self.held:
            if not isinstance(text, str):
                raise TypeError(f"text is {type(text).__name__}, expected str")
            self.kinds.push_back(PyUnicode_KIND(text))
            self.data.push_back(PyUnicode_DATA(text))
            self.sizes.push_back(len(text))


cdef class Engine:
    """Counts and weights the features of texts.

    ``families``: of each (kind, units, stems, smallest, largest, weight), the numbers of kinds and
    units being those of ``_native.hpp``; ``rules``: what :func:`stance.features.rules` gives;
    ``growing``: whether n-grams that are met become features (see :meth:`count`).
    """

    cdef Index index
    cdef Normaliser table
    cdef object stemmer
    cdef list idle
    cdef int32_t width

    def __init__(self, Normaliser table not None, families, rules, stemmer, cbool growing=False):
        self.table, self.stemmer, self.idle = table, stemmer, []
        self.index.table = &table.table
        self.index.stemmer = <void*>stemmer
        self.index.stem = _stem
        self.index.growing = growing
        for kind, units, stems, smallest, largest, weight in families:
            self.index.add_family(kind, units, stems, smallest, largest, weight)
        cdef Proclitic proclitic
        for name in rules["scopes"]:
            self.index.scope_names.push_back(_utf8(name))
        for word, bits in rules["marks"].items():
            self.index.add_mark(_view(_utf8(word)), bits)
        for (first, second), bits in rules["pairs"].items():
            a, b = _utf8(first), _utf8(second)
            self.index.add_pair(_view(a), _view(b), bits)
        self.index.reach_before_noun = rules["reach before noun"]
        self.index.scare_words = rules["scare words"]
        self.index.side_by_side = rules["side by side"]
        self.index.near = rules["near"]
        for form, shortest in rules["proclitics"]:
            proclitic.form, proclitic.length, proclitic.shortest = _utf8(form), len(form), shortest
            self.index.proclitics.push_back(proclitic)
        for pole in rules["poles"]:
            self.index.poles.push_back(pole)
        for words, category in zip(rules["cues"].splitlines(), rules["categories"], strict=True):
            self.index.add_cue(_view(words), category)

    def learned(self, names, idf):
        """Fix the features: for each family of n-grams lines of names and the idf, else ``None``.

        Columns count through the families in their order.
        """
        cdef int32_t base = 0
        cdef size_t f
        cdef const double[::1] weights
        for f in range(self.index.families.size()):
            if names[f] is not None:
                weights = idf[f]
                self.index.set_names(<int>f, _view(names[f]), <int32_t>weights.shape[0])
                self.index.families[f].idf.assign(&weights[0], &weights[0] + weights.shape[0])
        scratch = self._scratch()
        for f in range(self.index.families.size()):
            self.index.families[f].base = base
            base += scratch.reader.columns(self.index.families[f])
        self.width = base
        self.idle.append(scratch)

    @property
    def columns(self):
        """The number of columns of all families."""
        return self.width

    cdef _Scratch _scratch(self):
        cdef _Scratch scratch
        try:
            return self.idle.pop()
        except IndexError:
            scratch = _Scratch()
            scratch.reader = new Reader(self.index, REMEMBERED)
            return scratch

    def count(self, texts, least):
        """The n-grams of each family that stand in ``least[family]`` texts or more.

        Of each family a list of names, in code point order, and in how many texts each stands.
        """
        cdef _Texts given = _Texts(texts)
        cdef _Scratch scratch = self._scratch()
        cdef vector[vector[int64_t]] spreads
        cdef size_t i, n = given.sizes.size()
        cdef int64_t bound
        spreads.resize(self.index.families.size())
        with nogil:
            for i in range(n):
                scratch.reader.read(given.kinds[i], given.data[i], given.sizes[i])
                spread(scratch.reader[0], spreads)
        found = []
        for f in range(self.index.families.size()):
            if self.index.families[f].counted():
                found.append(None)
                continue
            bound = max(1, least[f])
            pairs = [
                (<bytes>self.index.name(self.index.families[f], <int32_t>i), spreads[f][i])
                for i in range(spreads[f].size())
                if spreads[f][i] >= bound
            ]
            pairs.sort()
            found.append((
                [name.decode("utf-8", "surrogatepass") for name, _ in pairs],
                np.array([texts for _, texts in pairs], dtype=np.int64),
            ))
        return found

    def transform(self, texts):
        """The matrix of the texts as (indptr, indices, data) of a compressed sparse row matrix."""
        cdef _Texts given = _Texts(texts)
        cdef _Scratch scratch = self._scratch()
        cdef vector[int32_t] indices
        cdef vector[double] data
        cdef size_t i, n = given.sizes.size()
        indptr = np.zeros(n + 1, dtype=np.int64)
        cdef int64_t[::1] ends = indptr
        with nogil:
            for i in range(n):
                scratch.reader.read(given.kinds[i], given.data[i], given.sizes[i])
                scratch.reader.row(indices, data)
                ends[i + 1] = <int64_t>indices.size()
        self.idle.append(scratch)
        columns = np.empty(indices.size(), dtype=np.int32)
        values = np.empty(data.size(), dtype=np.float64)
        cdef int32_t[::1] to_columns = columns
        cdef double[::1] to_values = values
        if not indices.empty():
            memcpy(&to_columns[0], indices.data(), indices.size() * sizeof(int32_t))
            memcpy(&to_values[0], data.data(), data.size() * sizeof(double))
        return indptr, columns, values

    def score(self, texts, const float[:, ::1] weights not None):
        """Each text's features times ``weights`` (columns, labels), and its words of Arabic letters.

        No matrix is made. Shapes (texts, labels) and (texts,).
        """
        if weights.shape[0] != self.width:
            raise ValueError(f"weights have {weights.shape[0]} rows, expected {self.width}")
        cdef _Texts given = _Texts(texts)
        cdef _Scratch scratch = self._scratch()
        cdef size_t i, n = given.sizes.size()
        cdef int labels = <int>weights.shape[1]
        scores = np.zeros((n, labels))
        words = np.zeros(n, dtype=np.int32)
        cdef double[:, ::1] out = scores
        cdef int32_t[::1] arabic = words
        cdef const float* rows = &weights[0, 0] if weights.size else NULL
        if n and labels:
            with nogil:
                for i in range(n):
                    arabic[i] = scratch.reader.read(given.kinds[i], given.data[i], given.sizes[i])
                    scored(scratch.reader[0], rows, labels, &out[i, 0])
        self.idle.append(scratch)
        return scores, words


def times(matrix, const double[:, ::1] dense not None, cbool transposed=False):
    """A compressed sparse row matrix, or its transpose, times a narrow dense one.

    The matrix is float32, the dense one and the product are float64. A row of ``dense`` is met once for all its columns, which SciPy meets one after the other.
    """
    cdef const int32_t[::1] indptr = matrix.indptr
    cdef const int32_t[::1] indices = matrix.indices
    cdef const float[::1] data = matrix.data
    inside, outside = matrix.shape if transposed else matrix.shape[::-1]
    if dense.shape[0] != inside:
        raise ValueError(f"the dense matrix has {dense.shape[0]} rows, expected {inside}")
    found = np.zeros((outside, dense.shape[1]))
    cdef double[:, ::1] out = found
    cdef int width = <int>dense.shape[1]
    cdef size_t rows = indptr.shape[0] - 1
    if data.size and width:
        with nogil:
            product(
                transposed, &indptr[0], &indices[0], &data[0], rows, &dense[0, 0], width, &out[0, 0]
            )
    return found
