"""An article, plain text or HTML → blocks with kind and offsets; the passages are what is labelled.

The rules look at form (length, punctuation, dates, position, repetition) and at the small stock of
phrases that Arabic news pages put around an article; none looks at an outlet's name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stance.text import InputError, decode, normalise, read_text

#: What a block can be. Only a ``passage`` is classified.
KINDS = ("title", "byline", "heading", "passage", "link", "caption", "boilerplate")
#: The kinds of file that hold one article.
ARTICLES = (".txt", ".html", ".htm")


@dataclass(frozen=True)
class Block:
    """A paragraph of an article: its kind and its code-point span in :attr:`Article.text`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Article:
    """An article: the text that all offsets refer to, its blocks in order, and where it is from."""

    name: str
    text: str
    blocks: tuple[Block, ...]

    def block_text(self, block: Block) -> str:
        """The words of a block."""
        return self.text[block.start : block.end]

    @property
    def title(self) -> str:
        """The article's title, or an empty string."""
        return next((self.block_text(b) for b in self.blocks if b.kind == "title"), "")

    @property
    def passages(self) -> list[Block]:
        """The blocks that are passages, in order."""
        return [b for b in self.blocks if b.kind == "passage"]


def read(path: Path) -> Article:
    """The article in a ``.txt`` or ``.html`` file.

    For HTML, :attr:`Article.text` is the text extracted from the page. Raises
    :class:`~stance.text.InputError` for a file that cannot be read, is empty, is not UTF-8 (an HTML
    page may declare another encoding), or holds no text.
    """
    if path.suffix.lower() in {".html", ".htm"}:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        return from_html(_decode_html(data, str(path)), path.name)
    return from_text(read_text(path), path.name)


def from_text(text: str, name: str = "") -> Article:
    """The article in a plain text, one paragraph a line (or hard-wrapped, with blank lines).

    >>> article = from_text("قمة موسكو\\n\\nوقع الجانبان في العاصمة وثيقة من ثلاث وعشرين مادة، "
    ...                     "ثم عقدا مؤتمرا صحفيا قصيرا أمام وسائل الإعلام.")
    >>> [b.kind for b in article.blocks]
    ['title', 'passage']
    """
    spans = _paragraphs(text)
    if not spans:
        raise InputError(f"{name or 'article'}: no text in it; expected Arabic prose")
    kinds = _kinds([text[a:b] for a, b in spans], gaps=_gaps(text, spans))
    return Article(name, text, _split_long(text, spans, kinds))


def from_html(page: str, name: str = "") -> Article:
    """The article in an HTML page: main text by trafilatura (Barbaresi 2021), then the same rules.

    Raises :class:`~stance.text.InputError` where the page holds no article.
    """
    from trafilatura import bare_extraction
    from trafilatura.settings import Document

    document = bare_extraction(
        page,
        favor_recall=True,
        include_comments=False,
        include_tables=False,
        deduplicate=False,
        with_metadata=True,
    )
    if not isinstance(document, Document) or document.body is None:
        raise InputError(f"{name or 'page'}: found no article in this HTML page")
    found = list(_markup_lines(document.body))
    title = _headline(_folded(document.title or ""), found)
    byline = " - ".join(filter(None, (document.author, document.date)))
    lines: list[str] = []
    known: list[str] = []
    for said, line in [("title", title), ("byline", _folded(byline)), *found]:
        if line and line not in lines[-1:] and (said == "title" or line != title):
            lines.append(line)
            known.append(said)
    if not lines:
        raise InputError(f"{name or 'page'}: found no article in this HTML page")
    text = "\n".join(lines)
    spans = _paragraphs(text, wrapped=False)
    guessed = _kinds(lines, known)
    return Article(name, text, _split_long(text, spans, guessed))


_BREAK = "\x1f"  # a single line break; white space folds it to a blank
_SHORT_LINE = 6
_BLOCKS = {"p": "", "ab": "", "quote": "", "head": "heading", "item": "item", "list": "", "div": ""}


def _folded(text: str) -> str:
    return " ".join(text.split())


def _markup_lines(body: Any) -> Iterator[tuple[str, str]]:
    """What the markup says of each paragraph (heading, item or nothing), and its words."""
    parts: list[str] = []
    kind = ""

    def flush() -> Iterator[tuple[str, str]]:
        for line in _broken_lines("".join(parts)):
            yield kind, line
        parts.clear()

    from lxml import etree

    for event, element in etree.iterwalk(body, events=("start", "end")):
        block = element.tag in _BLOCKS
        if event == "start":
            if block:
                yield from flush()
                kind = _BLOCKS[element.tag]
            parts.append(_BREAK if element.tag == "lb" else element.text or "")
        else:
            if block:
                yield from flush()
                kind = ""
            parts.append(element.tail or "")
    yield from flush()


def _broken_lines(text: str) -> list[str]:
    """The lines of a paragraph with line breaks, joined again where a break is only typography.

    A break parts two lines after a sentence, after a short line, in a list of links, and where it
    is doubled.
    """
    lines: list[str] = []
    in_links = doubled = False
    for piece in map(_folded, text.split(_BREAK)):
        if not piece:
            doubled = True
            continue
        apart = lines and (
            doubled
            or in_links
            or _SENTENCE_END.search(lines[-1])
            or len(lines[-1].split()) < _SHORT_LINE
        )
        if lines and not apart:
            lines[-1] += " " + piece
        else:
            lines.append(piece)
        doubled = False
        in_links = in_links or bool(_LINK_LIST.search(normalise(piece).text))
    return lines


def _headline(title: str, found: Sequence[tuple[str, str]]) -> str:
    """The page's title without the site's name, where a heading above the text tells it apart."""
    for said, line in found:
        if _is_prose(line):
            break
        if said == "heading" and (line in title or (len(title.split()) < 4 < len(line.split()))):
            return line
    return title


def _decode_html(data: bytes, where: str) -> str:
    declared = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", data[:4096], re.I)
    if declared and declared[1].lower() not in {b"utf-8", b"utf8"}:
        try:
            return data.decode(declared[1].decode())
        except (LookupError, UnicodeDecodeError):
            pass  # a wrong declaration: the plain rule decides
    return decode(data, where)


# --- paragraphs -----------------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"[.!؟?…][\"'»”’)\]]*$")
_LONGEST_PASSAGE = 160  # words; a longer paragraph is read in parts of whole sentences
_PART = 90
_SENTENCE = re.compile(r"[.!؟?…][\"'»”’)\]]*\s+")


def _paragraphs(text: str, wrapped: bool | None = None) -> list[tuple[int, int]]:
    """The spans of paragraphs: lines, or blank-line separated runs where lines are hard-wrapped."""
    lines = [
        (m.start() + len(m.group()) - len(m.group().lstrip()), m.start() + len(m.group().rstrip()))
        for m in re.finditer(r"[^\n]+", text)
        if m.group().strip()
    ]
    if wrapped is False or not _hard_wrapped(text):
        return lines
    joined: list[tuple[int, int]] = []
    for start, end in lines:
        if joined and _goes_on(text, joined[-1], start):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _goes_on(text: str, before: tuple[int, int], start: int) -> bool:
    """Whether the line at ``start`` continues a paragraph: no blank line, no bullet, no list."""
    gap = text[before[1] : start]
    last_line = text[before[0] : before[1]].rsplit("\n", 1)[-1].strip()
    return gap.count("\n") < 2 and text[start] not in "-•*–" and len(last_line) >= _FULL_LINE


_FULL_LINE = 35  # code points; a shorter line was not broken by wrapping


def _hard_wrapped(text: str) -> bool:
    """Whether paragraphs were broken into lines of like width, parted by blank lines."""
    inner = [
        line.strip()
        for block in re.split(r"\n\s*\n", text)
        for line in block.strip().split("\n")[:-1]
    ]
    if len(inner) < 4:
        return False
    widths = [len(line) for line in inner]
    from statistics import median  # with fractions and decimals, which few runs need

    middle = median(widths)
    alike = sum(abs(w - middle) <= 0.2 * middle for w in widths) / len(widths)
    unended = sum(not _SENTENCE_END.search(line) for line in inner) / len(inner)
    return 40 <= middle <= 130 and alike >= 0.8 and unended >= 0.7


def _split_long(
    text: str, spans: Sequence[tuple[int, int]], kinds: Sequence[str]
) -> tuple[Block, ...]:
    blocks = []
    for (start, end), kind in zip(spans, kinds, strict=True):
        block = Block(kind, start, end)
        if kind == "passage" and len(text[start:end].split()) > _LONGEST_PASSAGE:
            blocks += _parts(text, block)
        else:
            blocks.append(block)
    return tuple(blocks)


def _parts(text: str, block: Block) -> list[Block]:
    """The block cut after sentences into parts of about equal length."""
    words = text[block.start : block.end].split()
    target = len(words) / round(len(words) / _PART)
    parts = []
    start = block.start
    for sentence in _SENTENCE.finditer(text, block.start, block.end):
        long_enough = len(text[start : sentence.start()].split()) >= 0.8 * target
        if long_enough and len(text[sentence.end() : block.end].split()) >= 0.4 * target:
            parts.append(
                replace(block, start=start, end=sentence.start() + len(sentence.group().rstrip()))
            )
            start = sentence.end()
    return [*parts, replace(block, start=start)]


# --- kinds ----------------------------------------------------------------------------------------


class _Phrases:
    """Patterns of normalised text, compiled when one is first looked for."""

    def __init__(self, *patterns: str) -> None:
        self._patterns = patterns

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{normalise(p).text})" for p in self._patterns))

    def search(self, text: str) -> re.Match[str] | None:
        """Where a normalised text has the first of them."""
        return self._compiled.search(text)


# Phrases are matched in normalised text: one alef, ya for alef maksura, ha for ta marbuta.
_LINK_LIST = _Phrases(
    r"^و?(?:اخبار|مواضيع|موضوعات|مقالات|تقارير|قصص|مواد) "
    r"(?:ذات صله|متعلقه|مشابهه|مرتبطه|قد تهمك)",
    r"^(?:قد |وقد )?(?:تقرا|يهمك|تهمك|يعجبك) (?:ايضا|هذا)?",
    r"^(?:اقرا|شاهد|طالع|تابع|اسمع|انظر)(?:وا|ي)? (?:ايضا|المزيد|كذلك)",
    r"^(?:المزيد (?:من|حول|في|عن)|الاكثر (?:قراءه|مشاهده|تداولا)|احدث الاخبار|اخر الاخبار|مقترح)",
    r"^(?:روابط|وسوم|كلمات (?:مفتاحيه|دلاليه)|الكلمات المفتاحيه|تصفح ايضا|ذات صله)",
)
_BOILERPLATE = _Phrases(
    r"جميع الحقوق|حقوق (?:النشر|الطبع)|سياسه الخصوصيه|شروط (?:الاستخدام|الخدمه)",
    r"ملفات (?:تعريف الارتباط|الكوكيز)|النشره (?:البريديه|الاخباريه)|بريدك الالكتروني",
    r"(?:اشترك|سجل|انضم)(?:وا)? (?:في|الان|معنا|الي|لتصلك|بنشرتنا|للحصول)",
    r"(?:حمل|لتحميل|نزل|تحميل) (?:التطبيق|تطبيق)|تطبيق .{0,40}(?:مجانا|الان)|التطبيق الاول",
    r"اضغط (?:هنا|لتحميل|للاشتراك)|متجر (?:جوجل|ابل|التطبيقات)",
    r"^(?:شارك|مشاركه|انشر|نسخ الرابط|طباعه|علق|ارسل)(?: \S+){0,5}$|متصفحك|المتصفح",
    r"(?:تابعونا|تابعنا|تابعوا|تابع) (?:علي|عبر|قناه|صفحه|حساب|اخر|احدث)",
    r"فيسبوك|تويتر|تليغرام|تلغرام|واتساب|يوتيوب|انستغرام",
    r"^(?:advertisements?|ads?|اعلانات?|اعلان ممول|محتوي ممول|copyright|loading)\b",
    r"^(?:share|tweet|follow|subscribe|read more|https?:|www\.)",
    r"تم نشر هذا (?:المقال|الخبر)|نشر (?:هذا المقال )?بواسطه|المصدر ?:|العوده (?:الي|ل)",
    r"لا تعبر بالضروره عن|^المقالات? المنشوره|^الاراء الوارده|^هذا المقال يعبر|^هذا المحتوي",
    r"^(?:المزيد|التالي|السابق|الوسوم|العلامات|الارشيف|القايمه|بحث|دخول|تسجيل)(?: |$)|^الرييسيه",
)
_COMMENTS = _Phrases(r"^(?:ال)?تعليقات(?: القراء| الزوار)?(?: ?\(?\d+\)?)?$|^(?:اترك|اضف) تعليق")
_CITATION = _Phrases(r"^(?:لل|ال)?(?:اقتباس|استشهاد)\b ?:")
_CAPTION = _Phrases(
    r"^(?:صوره|الصوره|الصور|فيديو|انفوغراف|انفوجراف|رسم توضيحي|خريطه|لقطه|كاريكاتير)\b",
    r"\((?:رويترز|ا ?ف ?ب|فرانس برس|اسوشيتد برس|ا ?ب|غيتي|الاوروبيه|الاناضول|سبوتنيك|تاس|د ب ا"
    r"|ارشيفيه|ارشيف|وكالات|getty|reuters|afp|ap|epa)[^)]{0,30}\)$",
    r"^(?:getty|reuters|afp|ap|epa|غيتي|تصوير)\b|^مصدر الصوره|^(?:تعليق|التعليق علي) الصوره",
)
_MONTHS = (
    "يناير|فبراير|مارس|ابريل|مايو|يونيو|يوليو|اغسطس|سبتمبر|اكتوبر|نوفمبر|ديسمبر|"
    "كانون (?:الثاني|الاول)|شباط|اذار|نيسان|ايار|حزيران|تموز|اب|ايلول|تشرين (?:الاول|الثاني)|"
    "جانفي|فيفري|افريل|ماي|جوان|جويليه|اوت|شتنبر|نونبر|دجنبر|غشت|يوليوز"
)
_DATE = re.compile(
    rf"\b\d{{1,2}}\s*(?:[-/. ]|من )?\s*(?:{_MONTHS})\b"
    rf"|\b(?:{_MONTHS})\b\S*\s*,?\s*(?:\d{{1,2}}\s*,?\s*)?20\d\d"
    r"|\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b|\b\d{1,2}:\d\d\b"
)
_BYLINE = _Phrases(
    r"^(?:كتب|كتبت|بقلم|اعداد|اعده|اعدته|تحرير|ترجمه|تقرير|حاوره|حاورته|حوار|مراسل|الكاتب)\b",
    r"^(?:نشر|نشرت|اخر تحديث|تم التحديث|تاريخ النشر|محدث)\b",
)
_CREDIT = re.compile(r"[-–—|•·/]")
_BREADCRUMB = re.compile(r"^\S[^.؟!]{0,40}(?:\s[/>»›|]\s[^.؟!]{1,40}){1,5}$")
_QUESTION_END = re.compile(r"[؟?][\"»”]*$")
# A question put by an interviewer: "س:", the outlet's name, or a presenter's.
_ASKED = re.compile(r"^[^:?!.]{1,28}: .*\?\"?$")
_QUOTED_LINE = re.compile(r"^[«\"“].*[»\"”]$")
_CONJUNCTION = re.compile(r"^[وف]\w")


def _gaps(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether a blank line stands before each paragraph."""
    before = [0, *(end for _, end in spans[:-1])]
    return [text.count("\n", b, start) > 1 for b, (start, _) in zip(before, spans, strict=True)]


def _kinds(
    lines: Sequence[str], known: Sequence[str] | None = None, gaps: Sequence[bool] | None = None
) -> list[str]:
    """The kind of each paragraph.

    ``known``: what the page's markup says, empty where nothing; ``gaps``: whether a blank line
    stands before it.
    """
    known = known or [""] * len(lines)
    gaps = gaps or [True] * len(lines)
    prose = [_is_prose(line) for line in lines]
    # Only where paragraphs are parted by blank lines does the lack of one tell something.
    spaced = sum(g and p for g, p in zip(gaps, prose, strict=True)) > sum(prose) / 2
    first_prose = prose.index(True) if True in prose else len(lines)
    last_prose = len(lines) - 1 - prose[::-1].index(True) if True in prose else -1
    title = next(
        (normalise(line).text for line, k in zip(lines, known, strict=True) if k == "title"), ""
    )
    seen_title = ""

    def next_to(i: int) -> bool:
        return i < len(gaps) and not gaps[i]

    kinds: list[str] = []
    in_links = after_comments = False
    for i, (line, said) in enumerate(zip(lines, known, strict=True)):
        normal = normalise(line).text
        words = normal.split()
        length = len(words)
        if after_comments or _COMMENTS.search(normal):
            kind, after_comments = "boilerplate", True
        elif _CITATION.search(normal):
            kind = "boilerplate"
        elif _ASKED.match(normal) and length <= 80:
            kind = "heading"
        elif prose[i] and said != "heading":
            kind = "passage"
        elif _LINK_LIST.search(normal) and length <= 25:
            kind = "link"
        elif _BOILERPLATE.search(normal) and length <= 30:
            kind = "boilerplate"
        elif said == "title":
            kind = "title"
        elif _CAPTION.search(normal) and length <= 45:
            kind = "caption"
        elif said == "byline" or _is_byline(normal, i < first_prose or i > last_prose):
            kind = "byline"
        elif _BREADCRUMB.match(line) and i < first_prose:
            kind = "boilerplate"
        elif in_links and not _SENTENCE_END.search(line) and length <= 25:
            kind = "link"
        elif said in {"heading", "item"}:
            kind = "heading" if said == "heading" else "link"
        elif not title and not seen_title and i <= first_prose and length >= 2:
            kind = "title"
        elif i > last_prose or (length <= 1 and not re.search(r"[\u0621-\u064a]", line)):
            kind = "boilerplate"
        else:
            kind = "heading"
        if said == "item" and kind == "passage" and in_links:
            kind = "link"
        if kind == "title":
            seen_title = seen_title or normal
        # A link list goes on with the lines that have no full stop, one where it is inside the
        # text (an inset), all of them at its end.
        opens = kind == "link" and bool(_LINK_LIST.search(normal)) and length <= 6
        listed = i > last_prose or said == "item" or (spaced and next_to(i + 1))
        in_links = opens or (in_links and kind == "link" and listed)
        kinds.append(kind)
    return kinds


def _is_prose(line: str) -> bool:
    """Whether a line reads like a paragraph: long enough, or a whole sentence."""
    normal = normalise(line).text
    length = len(normal.split())
    if length >= 30:
        return True
    ended = bool(_SENTENCE_END.search(line.strip())) and not re.search(r"\.\.+$|…$", line.strip())
    if _LINK_LIST.search(normal) or _BOILERPLATE.search(normal) or _CAPTION.search(normal):
        return False
    if _QUOTED_LINE.match(line.strip()):
        return length >= 7
    if _QUESTION_END.search(line.strip()):
        return length >= (10 if _CONJUNCTION.match(normal) else 16)
    if ended:
        return length >= 7
    if line.rstrip().endswith(":"):
        return length >= 10
    return length >= 20


def _is_byline(normal: str, outside: bool) -> bool:
    """Whether a short line at the article's edge names writer, place or date."""
    if not outside or len(normal.split()) > 14:
        return False
    if _BYLINE.search(normal):
        return True
    dated = _DATE.search(normal)
    rest = _DATE.sub(" ", normal)
    return bool(dated) and (len(rest.split()) <= 4 or bool(_CREDIT.search(rest)))
