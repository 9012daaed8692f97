"""An article, plain text or HTML → blocks with kind and offsets; the passages are what is labelled.

The rules look at form (length, punctuation, dates, position, repetition) and at the small stock of
phrases that Arabic news pages put around an article; none looks at an outlet's name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

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
    kinds = _kinds([text[a:b] for a, b in spans])
    return Article(name, text, _split_long(text, spans, kinds))


def from_html(page: str, name: str = "") -> Article:
    """The article in an HTML page: main text by trafilatura (Barbaresi 2021), then the same rules.

    Raises :class:`~stance.text.InputError` where the page holds no article.
    """
    from lxml import etree
    from trafilatura import bare_extraction

    document = bare_extraction(
        page,
        favor_recall=True,
        include_comments=False,
        include_tables=False,
        deduplicate=False,
        with_metadata=True,
    )
    if document is None or document.body is None:
        raise InputError(f"{name or 'page'}: found no article in this HTML page")
    lines: list[str] = []
    known: list[str] = []

    def add(line: str | None, kind: str) -> None:
        line = " ".join((line or "").split())
        if line and (not lines or line != lines[-1]):
            lines.append(line)
            known.append(kind)

    add(document.title, "title")
    add(" - ".join(filter(None, (document.author, document.date))), "byline")
    for element in document.body.iter("p", "head", "item", "quote", "ab"):
        if any(e.tag in {"item", "quote"} for e in element.iterancestors()):
            continue
        words = " ".join(etree.tostring(element, method="text", encoding="unicode").split())
        add(words, {"head": "heading", "item": "item"}.get(element.tag, ""))
    if not lines:
        raise InputError(f"{name or 'page'}: found no article in this HTML page")
    text = "\n".join(lines)
    spans = _paragraphs(text, wrapped=False)
    guessed = _kinds(lines, known)
    return Article(name, text, _split_long(text, spans, guessed))


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
        if joined and "\n" not in text[joined[-1][1] : start].replace("\n", "", 1):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


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
            parts.append(replace(block, start=start, end=sentence.start() + len(
                sentence.group().rstrip())))
            start = sentence.end()
    return [*parts, replace(block, start=start)]


# --- kinds ----------------------------------------------------------------------------------------


def _phrase(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{normalise(p).text})" for p in phrases))


# Phrases are matched in normalised text: one alef, ya for alef maksura, ha for ta marbuta.
_LINK_LIST = _phrase(
    r"^(?:و)?(?:اخبار|مواضيع|موضوعات|مقالات|تقارير|قصص|مواد) (?:ذات صله|متعلقه|مشابهه|مرتبطه|قد تهمك)",
    r"^(?:قد |وقد )?(?:تقرا|يهمك|تهمك|يعجبك) (?:ايضا|هذا)?",
    r"^(?:اقرا|شاهد|طالع|تابع|اسمع|انظر)(?:وا|ي)? (?:ايضا|المزيد|كذلك)",
    r"^(?:المزيد (?:من|حول|في|عن)|الاكثر (?:قراءه|مشاهده|تداولا)|احدث الاخبار|اخر الاخبار|مقترح)",
    r"^(?:روابط|وسوم|كلمات (?:مفتاحيه|دلاليه)|الكلمات المفتاحيه|تصفح ايضا|ذات صله)",
)
_BOILERPLATE = _phrase(
    r"جميع الحقوق|حقوق (?:النشر|الطبع)|سياسه الخصوصيه|شروط (?:الاستخدام|الخدمه)|ملفات (?:تعريف الارتباط|الكوكيز)",
    r"(?:اشترك|سجل|انضم)(?:وا)? (?:في|الان|معنا|الي|لتصلك|بنشرتنا|للحصول)|النشره (?:البريديه|الاخباريه)|بريدك الالكتروني",
    r"(?:حمل|لتحميل|نزل|تحميل) (?:التطبيق|تطبيق)|تطبيق .{0,40}(?:مجانا|الان)|اضغط (?:هنا|لتحميل|للاشتراك)|متجر (?:جوجل|ابل|التطبيقات)",
    r"^(?:شارك|مشاركه|انشر|نسخ الرابط|طباعه|تعليقات|اترك تعليقا|اضف تعليق|علق|ارسل)",
    r"(?:تابعونا|تابعنا|تابعوا|تابع) (?:علي|عبر|قناه|صفحه|حساب|اخر|احدث)|فيسبوك|تويتر|تليغرام|تلغرام|واتساب|يوتيوب|انستغرام",
    r"^(?:advertisements?|ads?|اعلانات?|اعلان ممول|محتوي ممول|share|tweet|follow|subscribe|read more|copyright|loading)\b",
    r"تم نشر هذا (?:المقال|الخبر)|نشر (?:هذا المقال )?بواسطه|لا تعبر بالضروره عن|المصدر ?:|التطبيق الاول|العوده (?:الي|ل)|^الرييسيه",
    r"^المقالات? المنشوره|^الاراء الوارده|^هذا المحتوي|^هذا المقال يعبر|^ترجمه عن|^(?:https?:|www\.)",
    r"^(?:المزيد|التالي|السابق|الوسوم|العلامات|الارشيف|القايمه|بحث|دخول|تسجيل)(?: |$)",
)
_CAPTION = _phrase(
    r"^(?:صوره|الصوره|الصور|فيديو|شاهد الفيديو|انفوغراف|انفوجراف|رسم توضيحي|خريطه|لقطه|كاريكاتير)\b",
    r"\((?:رويترز|ا ?ف ?ب|فرانس برس|اسوشيتد برس|ا ?ب|غيتي|getty|reuters|afp|ap|epa|الاوروبيه|الاناضول|سبوتنيك|ارشيفيه|ارشيف|تاس|د ب ا)[^)]{0,30}\)$",
    r"^(?:getty|reuters|afp|ap|epa|غيتي|تصوير)\b|^مصدر الصوره|^(?:تعليق|التعليق علي) الصوره",
)
_MONTHS = (
    "يناير|فبراير|مارس|ابريل|مايو|يونيو|يوليو|اغسطس|سبتمبر|اكتوبر|نوفمبر|ديسمبر|"
    "كانون (?:الثاني|الاول)|شباط|اذار|نيسان|ايار|حزيران|تموز|اب|ايلول|تشرين (?:الاول|الثاني)|"
    "جانفي|فيفري|افريل|ماي|جوان|جويليه|اوت|شتنبر|نونبر|دجنبر|غشت|يوليوز"
)
_DATE = re.compile(
    rf"\b\d{{1,2}}\s*(?:[-/. ]|من )?\s*(?:{_MONTHS})\b|\b(?:{_MONTHS})\b\S*\s*,?\s*(?:\d{{1,2}}\s*,?\s*)?"
    r"20\d\d|\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b|\b\d{1,2}:\d\d\b"
)
_BYLINE = _phrase(
    r"^(?:كتب|كتبت|بقلم|اعداد|اعده|اعدته|تحرير|ترجمه|تقرير|حاوره|حاورته|حوار|مراسل|الكاتب|نشر|نشرت|اخر تحديث|تم التحديث|تاريخ النشر|محدث)\b ?:?"
)
_CREDIT = re.compile(r"[-–—|•·/]")
_BREADCRUMB = re.compile(r"^\S[^.؟!]{0,40}(?:\s[/>»›|]\s[^.؟!]{1,40}){1,5}$")
_QUESTION_END = re.compile(r"[؟?][\"»”]*$")


def _kinds(lines: Sequence[str], known: Sequence[str] | None = None) -> list[str]:
    """The kind of each paragraph. ``known``: what the page's markup says, empty where nothing."""
    known = known or [""] * len(lines)
    prose = [_is_prose(line) for line in lines]
    first_prose = prose.index(True) if True in prose else len(lines)
    last_prose = len(lines) - 1 - prose[::-1].index(True) if True in prose else -1
    title = next((normalise(line).text for line, k in zip(lines, known, strict=True)
                  if k == "title"), "")
    seen_title = ""
    kinds: list[str] = []
    in_links = False
    for i, (line, said) in enumerate(zip(lines, known, strict=True)):
        normal = normalise(line).text
        words = normal.split()
        length = len(words)
        if prose[i] and not said == "heading":
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
            kind = "heading" if said == "heading" else ("passage" if length >= 8 else "link")
        elif not title and not seen_title and i <= first_prose and length >= 2:
            kind = "title"
        elif i > last_prose:
            kind = "boilerplate" if not _SENTENCE_END.search(line) else "passage"
        elif length <= 1 and not re.search(r"[\u0621-\u064a]", line):
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
        in_links = opens or (in_links and kind == "link" and (i > last_prose or said == "item"))
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
    if _QUESTION_END.search(line.strip()):
        return length >= 16
    if ended:
        return length >= 7
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
