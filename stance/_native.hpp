// The n-gram engine: a text is read once, and every feature of it is counted on the way.
//
// Strings are UTF-8 inside. What a word gives (n-grams, stem, cues, marks) is worked out when it is
// first met and remembered; a passage is then a sum over its words. The same rules stand, in plain
// Python, in text.py, scope.py, lexicon.py and features.py; tests hold the two together.
#pragma once

#include <Python.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stance {

using View = std::string_view;

// --- exact maps -----------------------------------------------------------------------------------

inline uint64_t hashed(View s) {
    const uint64_t mix = 0x9E3779B97F4A7C15ULL;
    const char* p = s.data();
    size_t n = s.size();
    uint64_t h = (n + 1) * mix, w;
    for (; n >= 8; p += 8, n -= 8) {
        std::memcpy(&w, p, 8);
        h = (h ^ w) * mix;
        h ^= h >> 32;
    }
    w = 0;
    for (size_t i = 0; i < n; i++) w |= uint64_t(uint8_t(p[i])) << (8 * i);
    h = (h ^ w) * mix;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9ULL;
    return h ^ (h >> 32);
}

// Strings numbered in the order in which they come.
class Strings {
    struct Slot {
        uint32_t tag;
        int32_t id;
    };
    std::string pool_;
    std::vector<uint32_t> offsets_{0};
    std::vector<Slot> slots_ = std::vector<Slot>(16, Slot{0, -1});

    void rehash(size_t size) {
        slots_.assign(size, Slot{0, -1});
        for (int32_t id = 0; id < this->size(); id++) {
            uint64_t h = hashed(at(id));
            size_t i = h & (size - 1);
            while (slots_[i].id >= 0) i = (i + 1) & (size - 1);
            slots_[i] = {uint32_t(h >> 32), id};
        }
    }

  public:
    int32_t size() const { return int32_t(offsets_.size()) - 1; }

    View at(int32_t id) const {
        return View(pool_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]);
    }

    // Room for so many strings of so many bytes together.
    void reserve(size_t strings, size_t bytes) {
        size_t slots = slots_.size();
        while (slots < 2 * strings) slots *= 2;
        if (slots > slots_.size()) rehash(slots);
        offsets_.reserve(strings + 1);
        pool_.reserve(bytes);
    }

    // Has the cache fetch what find() will look at.
    void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }

    // -1 where the string is unknown.
    int32_t find(View s) const { return find(s, hashed(s)); }
    int32_t find(View s, uint64_t h) const {
        size_t mask = slots_.size() - 1;
        for (size_t i = h & mask; slots_[i].id >= 0; i = (i + 1) & mask)
            if (slots_[i].tag == uint32_t(h >> 32) && at(slots_[i].id) == s) return slots_[i].id;
        return -1;
    }

    // The number of a string, new or known.
    int32_t add(View s) { return add(s, hashed(s)); }
    int32_t add(View s, uint64_t h) {
        size_t mask = slots_.size() - 1;
        size_t i = h & mask;
        for (; slots_[i].id >= 0; i = (i + 1) & mask)
            if (slots_[i].tag == uint32_t(h >> 32) && at(slots_[i].id) == s) return slots_[i].id;
        int32_t id = size();
        pool_.append(s);
        offsets_.push_back(uint32_t(pool_.size()));
        slots_[i] = {uint32_t(h >> 32), id};
        if (2 * offsets_.size() > slots_.size()) rehash(2 * slots_.size());
        return id;
    }

    void clear() { *this = Strings(); }
};

// Sequences of units as paths: a node is a sequence, its child the sequence one unit longer.
class Paths {
    struct Slot {
        uint32_t tag;
        int32_t node;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(16, Slot{0, -1});
    std::vector<uint64_t> keys_;  // of each node: its parent and last unit

    static uint64_t key(int32_t parent, int32_t unit) {
        return (uint64_t(uint32_t(parent)) << 32) | uint32_t(unit);
    }
    static uint64_t hashed(uint64_t key) {
        uint64_t h = key * 0x9E3779B97F4A7C15ULL;
        h ^= h >> 32;
        return h * 0xBF58476D1CE4E5B9ULL;
    }
    // From the upper bits, which a product mixes best.
    size_t place(uint64_t hash) const { return (hash >> 20) & (slots_.size() - 1); }

    void put(int32_t node) {
        const uint64_t h = hashed(keys_[node]);
        size_t mask = slots_.size() - 1, i = place(h);
        while (slots_[i].node >= 0) i = (i + 1) & mask;
        slots_[i] = {uint32_t(h), node};
    }
    void rehash(size_t size) {
        slots_.assign(size, Slot{0, -1});
        for (int32_t node = 0; node < this->size(); node++) put(node);
    }

  public:
    static constexpr int32_t ROOT = -1;

    int32_t size() const { return int32_t(keys_.size()); }
    int32_t parent(int32_t node) const { return int32_t(keys_[node] >> 32); }
    int32_t unit(int32_t node) const { return int32_t(uint32_t(keys_[node])); }

    void reserve(size_t nodes) {
        size_t slots = slots_.size();
        while (slots < 2 * nodes) slots *= 2;
        if (slots > slots_.size()) rehash(slots);
        keys_.reserve(nodes);
    }
    void prefetch(int32_t parent, int32_t unit) const {
        __builtin_prefetch(&slots_[place(hashed(key(parent, unit)))]);
    }
    int32_t find(int32_t parent, int32_t unit) const {
        const uint64_t wanted = key(parent, unit), h = hashed(wanted);
        size_t mask = slots_.size() - 1;
        for (size_t i = place(h); slots_[i].node >= 0; i = (i + 1) & mask)
            if (slots_[i].tag == uint32_t(h) && keys_[slots_[i].node] == wanted)
                return slots_[i].node;
        return -1;
    }
    int32_t add(int32_t parent, int32_t unit) {
        int32_t known = find(parent, unit);
        if (known >= 0) return known;
        keys_.push_back(key(parent, unit));
        if (2 * keys_.size() > slots_.size())
            rehash(2 * slots_.size());
        else
            put(size() - 1);
        return size() - 1;
    }
};

// --- code points ----------------------------------------------------------------------------------

enum : uint8_t { ALNUM = 1, DECIMAL = 2, SPACE = 4 };

inline uint8_t class_of(Py_UCS4 c) {
    return (Py_UNICODE_ISALNUM(c) ? ALNUM : 0) | (Py_UNICODE_ISDECIMAL(c) ? DECIMAL : 0) |
           (Py_UNICODE_ISSPACE(c) ? SPACE : 0);
}

inline uint8_t classes(Py_UCS4 c) {
    static const std::vector<uint8_t> known = [] {
        std::vector<uint8_t> found(0x800);
        for (Py_UCS4 c = 0; c < found.size(); c++) found[c] = class_of(c);
        return found;
    }();
    return c < 0x800 ? known[c] : class_of(c);
}

inline void append(std::string& out, Py_UCS4 c) {
    if (c < 0x80) {
        out.push_back(char(c));
    } else if (c < 0x800) {
        const char two[] = {char(0xC0 | (c >> 6)), char(0x80 | (c & 0x3F))};
        out.append(two, 2);
    } else if (c < 0x10000) {
        const char three[] = {char(0xE0 | (c >> 12)), char(0x80 | ((c >> 6) & 0x3F)),
                              char(0x80 | (c & 0x3F))};
        out.append(three, 3);
    } else {
        const char four[] = {char(0xF0 | (c >> 18)), char(0x80 | ((c >> 12) & 0x3F)),
                             char(0x80 | ((c >> 6) & 0x3F)), char(0x80 | (c & 0x3F))};
        out.append(four, 4);
    }
}

inline Py_UCS4 next(const char*& p) {
    uint8_t a = uint8_t(*p++);
    if (a < 0x80) return a;
    int more = a < 0xE0 ? 1 : a < 0xF0 ? 2 : 3;
    Py_UCS4 c = a & (0x3F >> more);
    while (more--) c = (c << 6) | (uint8_t(*p++) & 0x3F);
    return c;
}

inline int length(View s) {
    int n = 0;
    for (char c : s) n += (uint8_t(c) & 0xC0) != 0x80;
    return n;
}

// The normalisation table: what each code point becomes.
class Table {
    static constexpr uint32_t MANY = 0x80000000u;
    std::vector<uint32_t> plane_ = std::vector<uint32_t>(0x10000);
    std::vector<std::pair<uint32_t, uint32_t>> beyond_;
    std::vector<std::vector<Py_UCS4>> many_;

  public:
    Table() {
        for (uint32_t c = 0; c < 0x10000; c++) plane_[c] = c;
    }
    void set(Py_UCS4 code, const std::vector<Py_UCS4>& becomes) {
        uint32_t value = MANY | uint32_t(many_.size());
        if (becomes.size() == 1)
            value = becomes[0];
        else
            many_.push_back(becomes);
        if (code < 0x10000)
            plane_[code] = value;
        else
            beyond_.push_back({code, value});
    }
    void close() { std::sort(beyond_.begin(), beyond_.end()); }

    std::vector<Py_UCS4> becomes(Py_UCS4 c) const {
        std::vector<Py_UCS4> found;
        apply(c, [&](Py_UCS4 piece) { found.push_back(piece); }, [] {});
        return found;
    }

    // Calls emit(code point) for each one that the text becomes; dropped() where it vanishes.
    template <class Emit, class Dropped>
    inline void apply(Py_UCS4 c, Emit emit, Dropped dropped) const {
        uint32_t value = c;
        if (c < 0x10000) {
            value = plane_[c];
        } else if (!beyond_.empty()) {
            auto at = std::lower_bound(beyond_.begin(), beyond_.end(), std::make_pair(c, 0u));
            if (at != beyond_.end() && at->first == c) value = at->second;
        }
        if (!(value & MANY)) {
            emit(value);
            return;
        }
        const auto& pieces = many_[value & ~MANY];
        if (pieces.empty()) dropped();
        for (Py_UCS4 piece : pieces) emit(piece);
    }
};

// --- what is counted ------------------------------------------------------------------------------

enum Kind { CHARACTERS, WORDS, SCOPED, CATEGORIES, DISCOURSE, TARGET, FORM };
enum Units { TOKENS, CHUNKS, WORDS_AND_MARKS };

struct Family {
    int kind, units, stems, smallest, largest;
    double weight;
    int32_t base = 0;  // its first column
    Strings strings;   // characters, scoped: the features; words: the units
    Paths paths;       // words: sequences of units
    std::vector<int32_t> columns;  // words: of each path, -1 where it is only the way to others
    std::vector<double> idf;

    bool counted() const { return kind >= CATEGORIES; }
    int32_t size() const { return int32_t(kind == WORDS ? paths.size() : strings.size()); }
};

struct Cue {
    int32_t category, rest, size;  // the words after the first: where they begin, how many
};

struct Proclitic {
    std::string form;
    int length, shortest;  // of it, and of what it may leave; in letters
};

// Marks of scopes: the bits of a word, and of two words that stand together.
enum : uint32_t {
    NEGATOR = 1,
    BEFORE_NOUN = 1 << 1,
    CORRECTIVE = 1 << 2,
    ADVERSATIVE = 1 << 3,
    SURPASSING = 1 << 4,
    FARTHER = 1 << 5,
    FROM = 1 << 6,
    TOWARD = 1 << 7,
    AND_THAT = 1 << 8,
    CONCESSIVE = 1 << 9,
    AS_MUCH = 1 << 10,
    MORE = 1 << 11,
    THAN_THIS = 1 << 12,
    DISTANCE = 1 << 13,
    WHAT = 1 << 14,
    SO_CALLED = 1 << 15,
    UPON = 1 << 16,
    EXTENT = 1 << 17,
    IN_HIS_WORDS = 1 << 18,
    CONDITION = 1 << 19,
    ASKING = 1 << 20,
    CONJOINED = 1 << 21,
};
enum : uint8_t { NO_NEGATION = 1, HOWEVER = 2, NO_LONGER = 4 };
enum : uint8_t {
    NEGATED = 1,
    REJECTED = 2,
    AFFIRMED = 4,
    DISTANCED = 8,
    CONDITIONAL = 16,
    QUESTION = 32,
    QUOTED = 64,
    SCARE = 128
};
enum Pole { CONVENIENCE, AXIS, FAVOR, AGAINST, PARTY, OTHER_PARTY, BOND, BOND_BY_PRONOUN, OTHER };

// A word's stem is found by Python; the call takes the interpreter's lock.
using Stem = std::string (*)(void* stemmer, View word);

// All that does not change while texts are read.
struct Index {
    static constexpr size_t AHEAD = 32;  // strings whose places are fetched beforehand

    const Table* table = nullptr;
    void* stemmer = nullptr;
    Stem stem = nullptr;
    std::vector<Family> families;
    bool growing = false;  // n-grams that are met become features

    std::vector<std::string> scope_names;
    Strings marks;
    std::vector<uint32_t> mark_bits;
    std::vector<uint8_t> pair_bits;  // marks x marks
    int reach_before_noun = 0, scare_words = 0, side_by_side = 0, near = 0;

    Strings firsts;  // first words of cues
    std::vector<std::vector<int32_t>> cues_of;
    std::vector<Cue> cues;
    Strings rests;
    std::vector<int32_t> rest_words;
    std::vector<int> poles;  // of each category
    std::vector<Proclitic> proclitics;

    void add_family(int kind, int units, int stems, int smallest, int largest, double weight) {
        Family f;
        f.kind = kind, f.units = units, f.stems = stems;
        f.smallest = smallest, f.largest = largest, f.weight = weight;
        families.push_back(std::move(f));
    }

    // The features of a family, lines of UTF-8 in column order.
    void set_names(int family, View lines, int32_t count) {
        Family& f = families[family];
        f.strings.reserve(count, lines.size());
        if (f.kind == WORDS) {
            f.paths.reserve(count + count / 4);
            f.columns.reserve(count + count / 4);
        }
        // Some strings with their hashes first, so that the places where they will stand are
        // fetched ahead. Of words: the units of a line one after the other, "last" at its end.
        struct Unit {
            View text;
            uint64_t hash;
            bool last;
        };
        std::vector<Unit> units;
        int32_t node = Paths::ROOT, column = 0;
        size_t start = 0;
        for (int32_t line = 0; line < count;) {
            units.clear();
            for (; line < count && units.size() < AHEAD; line++) {
                const size_t end = std::min(lines.find('\n', start), lines.size());
                for (bool last = false; !last;) {
                    const View rest = lines.substr(start, end - start);
                    const size_t blank = f.kind == WORDS ? rest.find(' ') : View::npos;
                    const View unit = rest.substr(0, blank);
                    last = blank == View::npos;
                    units.push_back({unit, hashed(unit), last});
                    f.strings.prefetch(units.back().hash);
                    start += unit.size() + 1;
                }
            }
            for (const Unit& unit : units) {
                const int32_t id = f.strings.add(unit.text, unit.hash);
                if (f.kind != WORDS) continue;
                node = f.paths.add(node, id);
                if (!unit.last) continue;
                f.columns.resize(f.paths.size(), -1);
                f.columns[node] = column++;
                node = Paths::ROOT;
            }
        }
    }

    std::string name(const Family& f, int32_t id) const {
        if (f.kind != WORDS) return std::string(f.strings.at(id));
        std::string found(f.strings.at(f.paths.unit(id)));
        for (id = f.paths.parent(id); id != Paths::ROOT; id = f.paths.parent(id))
            found = std::string(f.strings.at(f.paths.unit(id))) + " " + found;
        return found;
    }

    // A cue's words, separated by blanks, and its category.
    void add_cue(View words, int32_t category) {
        size_t end = std::min(words.find(' '), words.size());
        int32_t first = firsts.add(words.substr(0, end));
        if (first == int32_t(cues_of.size())) cues_of.emplace_back();
        Cue cue{category, int32_t(rest_words.size()), 0};
        while (end < words.size()) {
            size_t start = end + 1;
            end = std::min(words.find(' ', start), words.size());
            rest_words.push_back(rests.add(words.substr(start, end - start)));
            cue.size++;
        }
        cues_of[first].push_back(int32_t(cues.size()));
        cues.push_back(cue);
    }

    void add_mark(View word, uint32_t bits) {
        int32_t id = marks.add(word);
        mark_bits.resize(marks.size(), 0);
        mark_bits[id] |= bits;
    }
    void add_pair(View first, View second, uint8_t bits) {  // both are marks already
        size_t n = size_t(marks.size());
        pair_bits.resize(n * n, 0);
        pair_bits[size_t(marks.find(first)) * n + size_t(marks.find(second))] |= bits;
    }
};

// --- reading --------------------------------------------------------------------------------------

struct Word {
    int32_t mark, rest;            // -1: none
    int32_t cues, n_cues;          // where they begin in the pool
    bool arabic;
};

struct Match {
    int32_t category, start, end;
};

// Reads one text after the other; one thread's own.
class Reader {
    static constexpr size_t AHEAD = 12;  // features whose weights are fetched beforehand

    Index& index_;
    const size_t limit_;  // words remembered

    Strings words_;
    std::vector<Word> word_;
    std::vector<std::pair<int32_t, int32_t>> given_;  // word x family: a span of the
                                                      // pool; or the unit, and its path alone
    std::vector<int32_t> pool_;

    // the text
    std::string text_;
    std::vector<int32_t> starts_, ends_, tokens_, chunks_, marks_;
    std::vector<uint64_t> hashes_;  // of the tokens
    std::vector<std::pair<int32_t, int32_t>> chunk_spans_, mark_spans_;
    std::vector<uint8_t> breaks_;  // before each token: 1 a clause ends, 2 a sentence ends
    std::vector<int32_t> quotes_;  // tokens begun before each quotation mark
    int questions_, exclamations_;
    int64_t last_question_;
    std::vector<uint8_t> scopes_;
    std::vector<std::pair<int32_t, int32_t>> clauses_;
    std::vector<Match> matches_;
    std::vector<int32_t> free_from_;
    std::vector<std::pair<int32_t, int32_t>> found_;

    // counts, by family
    std::vector<std::vector<uint32_t>> counts_;
    std::vector<std::vector<int32_t>> seen_;
    std::vector<double> sublinear_;

    bool wants_chunks_ = false, wants_marks_ = false, wants_lexicon_ = false;
    bool wants_scopes_ = false, wants_clauses_ = false;

  public:
    Reader(Index& index, size_t limit) : index_(index), limit_(limit) {
        size_t n = index_.families.size();
        counts_.resize(n);
        seen_.resize(n);
        for (size_t f = 0; f < n; f++) {
            const Family& family = index_.families[f];
            wants_chunks_ |= !family.counted() && family.units == CHUNKS;
            wants_marks_ |= !family.counted() && family.units == WORDS_AND_MARKS;
            wants_lexicon_ |= family.kind >= CATEGORIES && family.kind <= TARGET;
            wants_scopes_ |= family.kind == SCOPED || family.kind == DISCOURSE;
            wants_clauses_ |= family.kind == TARGET;
            counts_[f].resize(family.counted() ? columns(family) : family.size());
        }
        for (int count = 0; count < 256; count++)
            sublinear_.push_back(count ? 1.0 + std::log(double(count)) : 0.0);
    }

    int32_t columns(const Family& family) const {
        switch (family.kind) {
            case CATEGORIES: return int32_t(2 * index_.poles.size());
            case DISCOURSE: return 15;
            case TARGET: return 20;
            case FORM: return 5;
            case WORDS: return int32_t(family.idf.size());
            default: return family.size();
        }
    }

    // Reads a text and counts its features; gives its number of words in Arabic letters.
    int read(int kind, const void* data, Py_ssize_t size) {
        if (size_t(words_.size()) > limit_) forget();
        normalise(kind, data, size);
        look_up();
        if (wants_scopes_) scopes();
        if (wants_lexicon_) match();
        int arabic = 0;
        for (int32_t t : tokens_) arabic += word_[t].arabic;
        for (size_t f = 0; f < index_.families.size(); f++) count(f);
        return arabic;
    }

    // For every feature of the text: visit(family, feature, count), and the counts start anew.
    template <class Visit>
    void drain(Visit visit) {
        for (size_t f = 0; f < seen_.size(); f++) {
            for (int32_t id : seen_[f]) {
                visit(f, id, counts_[f][id]);
                counts_[f][id] = 0;
            }
            seen_[f].clear();
        }
    }

    // Adds the text's scores to out: weights are rows of K numbers, one a column.
    template <int K>
    void score(const float* weights, int labels, double* out) {
        const int n = K ? K : labels;
        std::vector<double> heap(K ? 0 : n);
        double fixed[K ? K : 1];
        double* sum = K ? fixed : heap.data();
        for (size_t f = 0; f < seen_.size(); f++) {
            const Family& family = index_.families[f];
            double length = 0;
            for (int k = 0; k < n; k++) sum[k] = 0;
            const auto& seen = seen_[f];
            uint32_t* counts = counts_[f].data();
            const float* base = weights + size_t(family.base) * n;
            for (size_t i = 0; i < seen.size(); i++) {
                if (i + AHEAD < seen.size()) {
                    const size_t later = size_t(column(family, seen[i + AHEAD]));
                    __builtin_prefetch(base + later * n);
                    if (!family.counted()) __builtin_prefetch(&family.idf[later]);
                }
                const double value = this->value(family, seen[i], counts[seen[i]]);
                counts[seen[i]] = 0;
                length += value * value;
                const float* row = base + size_t(column(family, seen[i])) * n;
                for (int k = 0; k < n; k++) sum[k] += value * row[k];
            }
            const double scale = norm(family, length);
            for (int k = 0; k < n; k++) out[k] += scale * sum[k];
            seen_[f].clear();
        }
    }

    // Appends the text's row to a compressed sparse matrix, columns in order.
    void row(std::vector<int32_t>& indices, std::vector<double>& data) {
        std::vector<std::pair<int32_t, double>> cells;
        for (size_t f = 0; f < seen_.size(); f++) {
            const Family& family = index_.families[f];
            cells.clear();
            double length = 0;
            for (int32_t id : seen_[f])
                cells.push_back({column(family, id), value(family, id, counts_[f][id])});
            for (int32_t id : seen_[f]) counts_[f][id] = 0;
            seen_[f].clear();
            std::sort(cells.begin(), cells.end());
            for (const auto& cell : cells) length += cell.second * cell.second;
            const double root = family.counted() ? 1.0 : std::sqrt(length);
            for (const auto& cell : cells) {
                indices.push_back(family.base + cell.first);
                data.push_back(cell.second / root * family.weight);
            }
        }
    }

  private:
    static int32_t column(const Family& family, int32_t id) {
        return family.kind == WORDS ? family.columns[id] : id;
    }
    double value(const Family& family, int32_t id, uint32_t count) const {
        if (family.counted()) return std::log1p(double(count));
        const double tf = count < 256 ? sublinear_[count] : 1.0 + std::log(double(count));
        return tf * family.idf[column(family, id)];
    }
    static double norm(const Family& family, double length) {
        if (family.counted()) return family.weight;
        return length > 0 ? family.weight / std::sqrt(length) : 0.0;
    }

    void forget() {
        words_.clear();
        word_.clear();
        given_.clear();
        pool_.clear();
    }

    // --- the text: normalised, cut into words --------------------------------------------------

    void normalise(int kind, const void* data, Py_ssize_t size) {
        text_.clear();
        starts_.clear(), ends_.clear(), breaks_.clear(), quotes_.clear();
        chunk_spans_.clear(), mark_spans_.clear();
        questions_ = exclamations_ = 0;
        last_question_ = -1;
        bool in_token = false, in_chunk = false, in_word = false;
        uint8_t gap = 0;
        auto end_of = [this](std::vector<std::pair<int32_t, int32_t>>& spans, bool& inside) {
            if (inside) spans.back().second = int32_t(text_.size());
            inside = false;
        };
        auto emit = [&](Py_UCS4 c) {
            if (c == ' ' && (text_.empty() || text_.back() == ' ')) return;
            const uint8_t is = classes(c);
            const int32_t here = int32_t(text_.size());
            if (is & ALNUM) {
                if (!in_token) {
                    starts_.push_back(here);
                    breaks_.push_back(gap);
                    gap = 0;
                }
                in_token = true;
            } else {
                if (in_token) ends_.push_back(here);
                in_token = false;
                switch (c) {
                    case '?':
                        questions_++;
                        last_question_ = here;
                        gap |= 3;
                        break;
                    case '!':
                        exclamations_++;
                        gap |= 3;
                        break;
                    case '.':
                    case ';': gap |= 3; break;
                    case ',':
                    case ':': gap |= 1; break;
                    case '"': quotes_.push_back(int32_t(starts_.size())); break;
                }
            }
            if (wants_chunks_) {
                if (is & SPACE)
                    end_of(chunk_spans_, in_chunk);
                else if (!in_chunk)
                    chunk_spans_.push_back({here, here}), in_chunk = true;
            }
            if (wants_marks_) {
                const bool letter = (is & ALNUM) || c == '_';
                if (!letter) end_of(mark_spans_, in_word);
                if (letter && !in_word) mark_spans_.push_back({here, here}), in_word = true;
            }
            append(text_, c);
            if (wants_marks_ && !in_word && !(is & SPACE))
                mark_spans_.push_back({here, int32_t(text_.size())});
        };
        auto nothing = [] {};
        for (Py_ssize_t i = 0; i < size; i++)
            index_.table->apply(PyUnicode_READ(kind, data, i), emit, nothing);
        if (in_token) ends_.push_back(int32_t(text_.size()));
        end_of(chunk_spans_, in_chunk);
        end_of(mark_spans_, in_word);
        if (!text_.empty() && text_.back() == ' ') text_.pop_back();
    }

    void look_up() {
        tokens_.clear(), chunks_.clear(), marks_.clear();
        hashes_.clear();
        for (size_t i = 0; i < starts_.size(); i++) {
            hashes_.push_back(hashed(token(i)));
            words_.prefetch(hashes_.back());
        }
        for (size_t i = 0; i < starts_.size(); i++) {
            const int32_t known = words_.find(token(i), hashes_[i]);
            tokens_.push_back(known >= 0 ? known : learn(std::string(token(i))));
            __builtin_prefetch(&given_[size_t(tokens_.back()) * index_.families.size()]);
            __builtin_prefetch(&word_[tokens_.back()]);
        }
        // A chunk or mark without any word in the text gives nothing: it stands at no word.
        if (tokens_.empty()) return;
        for (auto [start, end] : chunk_spans_)
            chunks_.push_back(word(View(text_).substr(start, end - start)));
        for (auto [start, end] : mark_spans_)
            marks_.push_back(word(View(text_).substr(start, end - start)));
    }

    View token(size_t i) const {
        return View(text_.data() + starts_[i], size_t(ends_[i] - starts_[i]));
    }

    int32_t word(View form) {
        const int32_t known = words_.find(form);
        return known >= 0 ? known : learn(std::string(form));
    }

    int32_t learn(const std::string& form) {
        const int32_t id = words_.add(form);
        std::string plain;  // digits as 0
        Word w{-1, -1, 0, 0, false};
        for (const char *p = form.data(), *end = p + form.size(); p < end;) {
            const Py_UCS4 c = next(p);
            append(plain, classes(c) & DECIMAL ? '0' : c);
            w.arabic |= c >= 0x621 && c <= 0x64A;
        }
        std::string stem;
        bool stemmed = false;
        for (auto& family : index_.families) {
            std::pair<int32_t, int32_t> given{-1, 0};
            if (!stemmed && (family.stems || family.kind == SCOPED)) {
                stem = index_.stem(index_.stemmer, form);
                stemmed = true;
            }
            if (family.kind == CHARACTERS) {
                given = characters(family, plain);
            } else if (family.kind == WORDS) {
                given.first = known(family, family.stems ? stem : plain);
                given.second = given.first < 0      ? -1
                               : index_.growing ? family.paths.add(Paths::ROOT, given.first)
                                                : family.paths.find(Paths::ROOT, given.first);
            } else if (family.kind == SCOPED) {
                given = {int32_t(pool_.size()), int32_t(index_.scope_names.size())};
                for (const auto& name : index_.scope_names) {
                    // Only what is met in its scope becomes a feature: see count().
                    pool_.push_back(index_.growing ? -2 : family.strings.find(name + ":" + stem));
                }
                if (index_.growing) {
                    given.first = int32_t(stems_.add(stem));
                }
            }
            given_.push_back(given);
        }
        if (wants_scopes_) w.mark = mark(form);
        if (wants_lexicon_) cues(form, w);
        word_.push_back(w);
        return id;
    }
    Strings stems_;

    int32_t known(Family& family, View feature) {
        return index_.growing ? family.strings.add(feature) : family.strings.find(feature);
    }

    std::pair<int32_t, int32_t> characters(Family& family, const std::string& plain) {
        const std::string padded = " " + plain + " ";
        std::vector<int32_t> at;
        for (size_t i = 0; i < padded.size(); i++)
            if ((uint8_t(padded[i]) & 0xC0) != 0x80) at.push_back(int32_t(i));
        at.push_back(int32_t(padded.size()));
        const int letters = int(at.size()) - 1;
        const int32_t start = int32_t(pool_.size());
        for (int n = family.smallest; n <= family.largest; n++)
            for (int i = 0; i + n <= letters; i++) {
                const int32_t id = known(family, View(padded).substr(at[i], at[i + n] - at[i]));
                if (id >= 0) pool_.push_back(id);
            }
        return {start, int32_t(pool_.size()) - start};
    }

    static bool begins_with_conjunction(View form) {
        return form.size() > 2 && (form.substr(0, 2) == "و" || form.substr(0, 2) == "ف");
    }

    // The word's mark, freed of a conjunction before one that may bear it.
    int32_t mark(View form) const {
        if (begins_with_conjunction(form) && length(form) >= 3) {
            const int32_t rest = index_.marks.find(form.substr(2));
            if (rest >= 0 && index_.mark_bits[rest] & CONJOINED) return rest;
        }
        return index_.marks.find(form);
    }

    // The cues that may begin with a word, under each run of proclitics that it may bear.
    void cues(View form, Word& w) {
        const int letters = length(form);
        const bool article = letters > 3 && form.substr(0, 4) == "ال";
        w.rest = index_.rests.find(article ? form.substr(4) : form);
        w.cues = int32_t(pool_.size());
        for (const auto& p : index_.proclitics) {
            if (letters - p.length < p.shortest) continue;
            if (form.substr(0, p.form.size()) != p.form) continue;
            const int32_t first = index_.firsts.find(form.substr(p.form.size()));
            if (first < 0) continue;
            for (int32_t cue : index_.cues_of[first]) pool_.push_back(cue);
        }
        w.n_cues = int32_t(pool_.size()) - w.cues;
    }

    // --- scopes (see scope.py) -----------------------------------------------------------------

    uint32_t bits(size_t i) const {
        const int32_t mark = i < tokens_.size() ? word_[tokens_[i]].mark : -1;
        return mark >= 0 ? index_.mark_bits[mark] : 0;
    }
    uint8_t pair_bits(size_t i) const {
        if (i + 1 >= tokens_.size()) return 0;
        const int32_t a = word_[tokens_[i]].mark, b = word_[tokens_[i + 1]].mark;
        if (a < 0 || b < 0 || index_.pair_bits.empty()) return 0;
        return index_.pair_bits[size_t(a) * size_t(index_.marks.size()) + size_t(b)];
    }

    // Spans of tokens between the marks of punctuation that have a bit of "breaks".
    void spans(size_t start, size_t end, uint8_t bit,
               std::vector<std::pair<int32_t, int32_t>>& out) const {
        out.clear();
        size_t from = start;
        for (size_t i = start + 1; i <= end; i++)
            if (i == end || breaks_[i] & bit) {
                if (from < i) out.push_back({int32_t(from), int32_t(i)});
                from = i;
            }
    }

    void scopes() {
        scopes_.assign(tokens_.size(), 0);
        if (tokens_.empty()) return;
        std::vector<std::pair<int32_t, int32_t>> sentences, clauses;
        spans(0, tokens_.size(), 2, sentences);
        for (auto [start, end] : sentences) {
            spans(size_t(start), size_t(end), 1, clauses);
            negation_and_contrast(clauses);
            distance(clauses);
            conditions(clauses);
            if (asked(end - 1) || bits(size_t(start)) & ASKING)
                for (int32_t i = start; i < end; i++) scopes_[i] |= QUESTION;
        }
        for (size_t q = 0; q + 1 < quotes_.size(); q += 2) {
            const int32_t inside = quotes_[q + 1] - quotes_[q];
            const uint8_t scope = inside > index_.scare_words ? QUOTED : SCARE;
            for (int32_t i = quotes_[q]; i < quotes_[q + 1]; i++) scopes_[i] |= scope;
        }
    }

    // Whether a question mark stands within three characters after a word, before any blank.
    bool asked(int32_t token) const {
        const char *p = text_.data() + ends_[token], *end = text_.data() + text_.size();
        for (int i = 0; i < 3 && p < end && *p != ' '; i++)
            if (next(p) == '?') return true;
        return false;
    }

    void negation_and_contrast(const std::vector<std::pair<int32_t, int32_t>>& clauses) {
        bool open_contrast = false, affirming = false;
        for (auto [start, end] : clauses) {
            uint8_t scope = affirming ? AFFIRMED : 0;
            bool surpassed = false, conceding = false;
            int reach = 0;
            for (int32_t i = start; i < end; i++) {
                const uint32_t is = bits(size_t(i)), then = bits(size_t(i) + 1);
                const uint8_t two = pair_bits(size_t(i));
                if (reach && --reach == 0) scope &= uint8_t(~NEGATED);
                if (!(is & CORRECTIVE)) scopes_[i] |= scope;
                if (is & CORRECTIVE && (open_contrast || scope & REJECTED)) {
                    scope = AFFIRMED, open_contrast = false, affirming = true, reach = 0;
                } else if (is & ADVERSATIVE || two & HOWEVER) {
                    scope = AFFIRMED, affirming = true, reach = 0;
                } else if (two & NO_LONGER || (is & NEGATOR && !(two & NO_NEGATION))) {
                    scope = NEGATED | REJECTED, open_contrast = true, reach = 0;
                } else if (is & BEFORE_NOUN && !(two & NO_NEGATION)) {
                    scope |= NEGATED, reach = index_.reach_before_noun + 1;
                } else if (is & SURPASSING || (is & FARTHER && then & FROM)) {
                    scope = REJECTED, open_contrast = true, surpassed = true, reach = 0;
                } else if (surpassed && is & TOWARD) {
                    scope = AFFIRMED, open_contrast = false, surpassed = false;
                } else if (is & AND_THAT && scope & (NEGATED | REJECTED)) {
                    scope = 0, open_contrast = false, reach = 0;
                } else if (is & CONCESSIVE) {
                    scope = REJECTED, conceding = true, reach = 0;
                } else if (is & AS_MUCH && scope & REJECTED) {
                    scope = AFFIRMED;
                } else if (is & MORE && i > start && then & THAN_THIS && !(scope & REJECTED)) {
                    for (int32_t j = start; j < i; j++) scopes_[j] |= AFFIRMED;
                    scope = REJECTED;
                }
            }
            affirming |= conceding;
        }
    }

    void distance(const std::vector<std::pair<int32_t, int32_t>>& clauses) {
        for (auto [start, end] : clauses)
            for (int32_t i = start; i < end; i++) {
                const uint32_t is = bits(size_t(i)), then = bits(size_t(i) + 1);
                if (is & DISTANCE || (is & WHAT && then & SO_CALLED))
                    for (int32_t j = i + 1; j < end; j++) scopes_[j] |= DISTANCED;
                if (is & UPON && then & EXTENT && bits(size_t(i) + 2) & IN_HIS_WORDS)
                    for (int32_t j = clauses[0].first; j < i; j++) scopes_[j] |= DISTANCED;
            }
    }

    void conditions(const std::vector<std::pair<int32_t, int32_t>>& clauses) {
        for (auto [start, end] : clauses)
            for (int32_t i = start; i < end; i++)
                if (bits(size_t(i)) & CONDITION) {
                    for (int32_t j = i + 1; j < end; j++) scopes_[j] |= CONDITIONAL;
                    break;
                }
    }

    // --- cues (see lexicon.py) -----------------------------------------------------------------

    void match() {
        matches_.clear();
        free_from_.assign(index_.poles.size(), 0);
        const int32_t n = int32_t(tokens_.size());
        for (int32_t i = 0; i < n; i++) {
            const Word& w = word_[tokens_[i]];
            if (!w.n_cues) continue;
            found_.clear();
            for (int32_t c = 0; c < w.n_cues; c++) {
                const Cue& cue = index_.cues[pool_[w.cues + c]];
                const int32_t end = i + 1 + cue.size;
                if (end > n) continue;
                bool same = true;
                for (int32_t k = 0; same && k < cue.size; k++)
                    same = word_[tokens_[i + 1 + k]].rest == index_.rest_words[cue.rest + k];
                if (!same) continue;
                auto at = std::find_if(found_.begin(), found_.end(),
                                       [&](const auto& f) { return f.first == cue.category; });
                if (at == found_.end())
                    found_.push_back({cue.category, end});
                else
                    at->second = std::max(at->second, end);
            }
            for (auto [category, end] : found_)
                if (i >= free_from_[category]) {
                    matches_.push_back({category, i, end});
                    free_from_[category] = end;
                }
        }
    }

    // --- counting (see features.py) ------------------------------------------------------------

    inline void add(size_t family, int32_t id, uint32_t times = 1) {
        uint32_t& count = counts_[family][id];
        if (!count) seen_[family].push_back(id);
        count += times;
    }

    void count(size_t f) {
        Family& family = index_.families[f];
        if (index_.growing && !family.counted() && counts_[f].size() < size_t(family.size()))
            counts_[f].resize(size_t(family.size()) * 2);
        switch (family.kind) {
            case CHARACTERS: count_characters(f, family); break;
            case WORDS: count_words(f, family); break;
            case SCOPED: count_scoped(f, family); break;
            case CATEGORIES: count_categories(f); break;
            case DISCOURSE: count_discourse(f); break;
            case TARGET: count_target(f); break;
            case FORM: count_form(f); break;
        }
    }

    const std::vector<int32_t>& units(const Family& family) const {
        return family.units == CHUNKS ? chunks_ : family.units == WORDS_AND_MARKS ? marks_ : tokens_;
    }
    const std::pair<int32_t, int32_t>& given(int32_t word, size_t f) const {
        return given_[size_t(word) * index_.families.size() + f];
    }

    void count_characters(size_t f, const Family& family) {
        const auto& all = units(family);
        size_t most = 0;
        for (int32_t unit : all) most += size_t(given(unit, f).second);
        auto& seen = seen_[f];
        seen.resize(most + 1);
        uint32_t* counts = counts_[f].data();
        int32_t* next = seen.data();
        for (int32_t unit : all) {
            const auto [start, n] = given(unit, f);
            for (const int32_t *id = pool_.data() + start, *end = id + n; id < end; id++) {
                *next = *id;  // without a branch: overwritten where it was seen before
                next += counts[*id]++ == 0;
            }
        }
        seen.resize(size_t(next - seen.data()));
    }

    void count_words(size_t f, Family& family) {
        const auto& all = units(family);
        const auto& paths = family.paths;
        if (family.largest > 1)
            for (size_t i = 0; i + 1 < all.size(); i++)
                paths.prefetch(given(all[i], f).second, given(all[i + 1], f).first);
        for (size_t i = 0; i < all.size(); i++) {
            int32_t node = given(all[i], f).second;
            for (int n = 1; node >= 0; n++) {
                if (index_.growing && counts_[f].size() <= size_t(node))
                    counts_[f].resize(2 * size_t(node) + 2);
                if (n >= family.smallest && (index_.growing || family.columns[node] >= 0))
                    add(f, node);
                if (n == family.largest || i + n >= all.size()) break;
                const int32_t unit = given(all[i + n], f).first;
                node = unit < 0         ? -1
                       : index_.growing ? family.paths.add(node, unit)
                                        : paths.find(node, unit);
            }
        }
    }

    void count_scoped(size_t f, Family& family) {
        for (size_t i = 0; i < tokens_.size(); i++) {
            if (!scopes_[i]) continue;
            const auto given = this->given(tokens_[i], f);
            for (size_t s = 0; s < index_.scope_names.size(); s++) {
                if (!(scopes_[i] & (1 << s))) continue;
                int32_t id;
                if (index_.growing) {
                    const std::string stem(stems_.at(given.first));
                    id = family.strings.add(index_.scope_names[s] + ":" + stem);
                    if (counts_[f].size() <= size_t(id)) counts_[f].resize(2 * size_t(id) + 2);
                } else {
                    id = pool_[given.first + int32_t(s)];
                }
                if (id >= 0) add(f, id);
            }
        }
    }

    void count_categories(size_t f) {
        for (const Match& m : matches_) {
            if (!counts_[f][2 * m.category]) add(f, 2 * m.category + 1);
            add(f, 2 * m.category);
        }
    }

    void count_discourse(size_t f) {
        const Match* last = nullptr;
        bool frames[2] = {false, false};
        for (const Match& m : matches_) {
            const int pole = index_.poles[m.category];
            if (pole > AGAINST) continue;
            last = &m;
            const uint8_t inside = scopes_[m.start];
            const bool affirmed = inside & AFFIRMED, rejected = !affirmed && inside & REJECTED;
            if (affirmed) add(f, 4 + pole);
            if (rejected) add(f, pole);
            if (pole <= AXIS) {
                frames[pole] = true;
                if (affirmed) add(f, 12 + pole);
                if (rejected) add(f, 13 - pole);
            }
        }
        if (last) add(f, 8 + index_.poles[last->category]);
        if (frames[0] && frames[1]) add(f, 14, 2);
    }

    void count_target(size_t f) {
        if (tokens_.empty()) return;
        bool poles[OTHER + 1] = {};
        std::vector<int32_t> parties;  // categories in the order in which they come
        for (const Match& m : matches_) {
            const int pole = index_.poles[m.category];
            poles[pole] = true;
            if (pole == PARTY && std::find(parties.begin(), parties.end(), m.category) == parties.end())
                parties.push_back(m.category);
        }
        const int named = std::min(int(parties.size()), 2);
        add(f, named);
        if (poles[BOND]) add(f, 3 + 4 * named);
        if (poles[BOND_BY_PRONOUN]) add(f, 4 + 4 * named);
        if (poles[OTHER_PARTY]) add(f, 5 + 4 * named);
        if (!poles[BOND] && !poles[BOND_BY_PRONOUN]) add(f, 6 + 4 * named);
        spans(0, tokens_.size(), 1, clauses_);
        for (auto [start, end] : clauses_) {
            int inside = 0;
            for (int32_t party : parties)
                inside += std::any_of(matches_.begin(), matches_.end(), [&](const Match& m) {
                    return m.category == party && start <= m.start && m.start < end;
                });
            add(f, 15 + std::min(inside, 2));
        }
        if (parties.size() < 2) return;
        int32_t gap = INT32_MAX;
        for (const Match& a : matches_)
            for (const Match& b : matches_)
                if (a.category == parties[0] && b.category == parties[1])
                    gap = std::min(gap, std::abs(a.start - b.start));
        if (gap <= index_.side_by_side)
            add(f, 18);
        else if (gap <= index_.near)
            add(f, 19);
    }

    void count_form(size_t f) {
        if (tokens_.empty()) return;
        if (questions_) add(f, 0, uint32_t(questions_));
        if (last_question_ >= ends_.back()) add(f, 1);
        if (exclamations_) add(f, 2, uint32_t(exclamations_));
        for (size_t q = 0; q + 1 < quotes_.size(); q += 2) {
            const int32_t inside = quotes_[q + 1] - quotes_[q];
            if (!inside) continue;
            add(f, 3);
            add(f, 4, uint32_t(inside));
        }
    }
};

// --- products of a compressed sparse matrix with a narrow dense one, for the learner --------------

// Sums of a fixed width stay in registers.
template <int K>
struct Sums {
    double at[K];
    explicit Sums(int) {}
};
template <>
struct Sums<0> {
    std::vector<double> at;
    explicit Sums(int width) : at(size_t(width)) {}
};

// out (rows, K) = matrix (rows, columns) times dense (columns, K).
template <int K>
void times(const int32_t* indptr, const int32_t* indices, const float* data, size_t rows,
           const double* dense, int width, double* out) {
    const int n = K ? K : width;
    Sums<K> sum(n);
    for (size_t i = 0; i < rows; i++) {
        for (int k = 0; k < n; k++) sum.at[k] = 0;
        for (int32_t j = indptr[i]; j < indptr[i + 1]; j++) {
            const double* row = dense + size_t(indices[j]) * n;
            const double value = data[j];
            for (int k = 0; k < n; k++) sum.at[k] += value * row[k];
        }
        for (int k = 0; k < n; k++) out[i * n + k] = sum.at[k];
    }
}

// out (columns, K) = transposed matrix times dense (rows, K); out is 0 before.
template <int K>
void transposed_times(const int32_t* indptr, const int32_t* indices, const float* data,
                      size_t rows, const double* dense, int width, double* out) {
    const int n = K ? K : width;
    Sums<K> own(n);
    for (size_t i = 0; i < rows; i++) {
        for (int k = 0; k < n; k++) own.at[k] = dense[i * n + k];
        for (int32_t j = indptr[i]; j < indptr[i + 1]; j++) {
            double* row = out + size_t(indices[j]) * n;
            const double value = data[j];
            for (int k = 0; k < n; k++) row[k] += value * own.at[k];
        }
    }
}

}  // namespace stance
