//! A small grammar of English.
//!
//! Sentences have what a language model can learn in minutes: word order, agreement of subject
//! and verb (also across `near the barns`), `a` before consonants and `an` before vowels, tense
//! that follows the time (`yesterday`, `tomorrow`), pronouns that follow the subject, and words
//! that belong to one theme. Within a list, early words are more frequent than late ones.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Sentence;
use super::lexicon::{
    FUTURE, MANNERS, MEN, NUMBERS, PAST, PREPOSITIONS, PRESENT, QUALITIES, REASONS, THEMES, Theme,
    WOMEN,
};

/// `train` and `valid` sentences; a sentence of one part is not in the other.
#[must_use]
pub fn sentences(seed: u64, train: usize, valid: usize) -> (Vec<Sentence>, Vec<Sentence>) {
    let mut writer = Writer::new(seed);
    let train: Vec<Sentence> = (0..train).map(|_| writer.sentence()).collect();
    let known: HashSet<&Sentence> = train.iter().collect();
    let mut held = Vec::with_capacity(valid);
    while held.len() < valid {
        let sentence = writer.sentence();
        if !known.contains(&sentence) {
            held.push(sentence);
        }
    }
    (train, held)
}

/// Documents of `SENTENCES` sentences, all of one theme, so that a sentence says something about the
/// next one.
#[must_use]
pub fn documents(seed: u64, count: usize) -> Vec<Vec<Sentence>> {
    let mut writer = Writer::new(seed);
    let document = |_| {
        // Every theme equally often: which one it is, is what the next sentence is known by.
        let theme = &THEMES[writer.rng.random_range(0..THEMES.len())];
        let sentences = writer.rng.random_range(SENTENCES);
        (0..sentences).map(|_| writer.sentence_on(theme)).collect()
    };
    (0..count).map(document).collect()
}

/// Sentences of a document.
const SENTENCES: std::ops::Range<usize> = 8..25;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tense {
    Past,
    Present,
    Future,
}

/// Who or what a verb and a pronoun have to agree with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Person {
    She,
    He,
    It,
    They,
}

impl Person {
    const fn pronoun(self) -> &'static str {
        match self {
            Self::She => "she",
            Self::He => "he",
            Self::It => "it",
            Self::They => "they",
        }
    }

    const fn possessive(self) -> &'static str {
        match self {
            Self::She => "her",
            Self::He => "his",
            Self::It => "its",
            Self::They => "their",
        }
    }

    const fn is_plural(self) -> bool {
        matches!(self, Self::They)
    }
}

struct Writer {
    rng: StdRng,
    words: Sentence,
}

impl Writer {
    fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), words: Vec::new() }
    }

    fn sentence(&mut self) -> Sentence {
        let theme = &THEMES[self.rank(THEMES.len())];
        self.sentence_on(theme)
    }

    fn sentence_on(&mut self, theme: &Theme) -> Sentence {
        match self.rng.random_range(0..10) {
            0 => self.question(theme),
            1 => self.description(theme),
            2 => self.pair(theme),
            _ => self.statement(theme),
        }
        std::mem::take(&mut self.words)
    }

    /// `yesterday the farmers near the barn planted five carrots , because they were hungry .`
    fn statement(&mut self, theme: &Theme) {
        let (tense, time) = self.time();
        let time_first = self.chance(0.4);
        if time_first {
            self.say(time);
        }
        let subject = self.somebody(theme, true);
        self.clause(theme, subject, tense);
        if !time_first && self.chance(0.6) {
            self.say(time);
        }
        if self.chance(0.3) {
            self.reason(subject, tense);
        }
        self.say(".");
    }

    /// `did the baker burn a pie ?`
    fn question(&mut self, theme: &Theme) {
        let (tense, time) = self.time();
        let auxiliary = self.words.len();
        let subject = self.somebody(theme, false);
        let word = match (tense, subject.is_plural()) {
            (Tense::Past, _) => "did",
            (Tense::Future, _) => "will",
            (Tense::Present, true) => "do",
            (Tense::Present, false) => "does",
        };
        self.words.insert(auxiliary, word.to_owned());
        let verb = self.pick(theme.verbs);
        self.say(verb);
        self.object(theme, subject);
        if self.chance(0.5) {
            self.say(time);
        }
        self.say("?");
    }

    /// `the boats in the harbour are wooden .`
    fn description(&mut self, theme: &Theme) {
        let (tense, _) = self.time();
        let subject = self.something(theme);
        if self.chance(0.5) {
            self.place(theme);
        }
        self.be(subject, tense);
        let quality = self.quality(theme);
        self.say(quality);
        if self.chance(0.3) {
            self.say("and");
            let quality = self.quality(theme);
            self.say(quality);
        }
        self.say(".");
    }

    /// `Clara bakes a cake , but Emil tastes it .`
    fn pair(&mut self, theme: &Theme) {
        let (tense, _) = self.time();
        let first = self.somebody(theme, false);
        self.verb(theme, first, tense);
        let object = self.something(theme);
        self.say(",");
        let conjunction = self.pick(&["but", "and", "while", "so"]);
        self.say(conjunction);
        let second = self.somebody(theme, false);
        self.verb(theme, second, tense);
        self.say(if object.is_plural() { "them" } else { "it" });
        self.say(".");
    }

    fn clause(&mut self, theme: &Theme, subject: Person, tense: Tense) {
        if self.chance(0.15) {
            let manner = self.pick(MANNERS);
            self.say(manner);
        }
        self.verb(theme, subject, tense);
        self.object(theme, subject);
        if self.chance(0.25) {
            self.place(theme);
        }
        if self.chance(0.15) {
            let manner = self.pick(MANNERS);
            self.say(manner);
        }
    }

    fn reason(&mut self, subject: Person, tense: Tense) {
        self.say(",");
        self.say("because");
        if self.chance(0.3) {
            let reason = self.pick(REASONS);
            self.say(reason);
        } else {
            self.say(subject.pronoun());
            self.be(subject, tense);
            let quality = self.pick(QUALITIES);
            self.say(quality);
        }
    }

    /// A subject: a name, or people of the theme, who may be somewhere or known for something.
    fn somebody(&mut self, theme: &Theme, long: bool) -> Person {
        if self.chance(0.3) {
            let (names, person) =
                if self.chance(0.5) { (WOMEN, Person::She) } else { (MEN, Person::He) };
            let name = self.pick(names);
            self.say(name);
            return person;
        }
        let person = self.noun(theme.people, QUALITIES);
        // People are not things; which pronoun a baker takes is drawn.
        let person = match person {
            Person::They => person,
            _ if self.chance(0.5) => Person::She,
            _ => Person::He,
        };
        if long && self.chance(0.2) {
            self.place(theme);
        } else if long && self.chance(0.15) {
            self.say("who");
            self.verb(theme, person, Tense::Present);
            self.something(theme);
        }
        person
    }

    fn something(&mut self, theme: &Theme) -> Person {
        let qualities = if self.chance(0.6) { theme.qualities } else { QUALITIES };
        self.noun(theme.things, qualities)
    }

    fn object(&mut self, theme: &Theme, subject: Person) {
        if self.chance(0.2) {
            self.say(subject.possessive());
            let thing = self.pick(theme.things);
            self.say(thing);
        } else {
            self.something(theme);
        }
    }

    fn place(&mut self, theme: &Theme) {
        let preposition = self.pick(PREPOSITIONS);
        self.say(preposition);
        self.say("the");
        let place = self.pick(theme.places);
        if self.chance(0.2) {
            self.say(&plural(place));
        } else {
            self.say(place);
        }
    }

    /// Determiner, at most one quality, noun.
    fn noun(&mut self, nouns: &[&str], qualities: &[&str]) -> Person {
        let noun = self.pick(nouns);
        let quality = self.chance(0.35).then(|| self.pick(qualities));
        let many = self.chance(0.4);
        let number = self.pick(NUMBERS);
        let determiner = match (many, self.rng.random_range(0..4)) {
            (true, 0) => number,
            (true, 1) => self.pick(&["some", "many", "these", "all"]),
            (false, 0) => self.pick(&["this", "every", "that"]),
            (false, 1) => match quality.unwrap_or(noun).chars().next() {
                Some('a' | 'e' | 'i' | 'o' | 'u') if !quality.unwrap_or(noun).starts_with("us") => {
                    "an"
                }
                _ => "a",
            },
            _ => "the",
        };
        self.say(determiner);
        if let Some(quality) = quality {
            self.say(quality);
        }
        if many {
            self.say(&plural(noun));
            return Person::They;
        }
        self.say(noun);
        Person::It
    }

    fn verb(&mut self, theme: &Theme, subject: Person, tense: Tense) {
        let verb = self.pick(theme.verbs);
        match tense {
            Tense::Past => self.say(&past(verb)),
            Tense::Present if subject.is_plural() => self.say(verb),
            Tense::Present => self.say(&plural(verb)),
            Tense::Future => {
                self.say("will");
                self.say(verb);
            }
        }
    }

    fn be(&mut self, subject: Person, tense: Tense) {
        self.say(match (tense, subject.is_plural()) {
            (Tense::Past, true) => "were",
            (Tense::Past, false) => "was",
            (Tense::Present, true) => "are",
            (Tense::Present, false) => "is",
            (Tense::Future, _) => "will be",
        });
    }

    fn quality(&mut self, theme: &Theme) -> &'static str {
        let qualities = if self.chance(0.6) { theme.qualities } else { QUALITIES };
        self.pick(qualities)
    }

    fn time(&mut self) -> (Tense, &'static str) {
        let (tense, times) = match self.rng.random_range(0..3) {
            0 => (Tense::Past, PAST),
            1 => (Tense::Present, PRESENT),
            _ => (Tense::Future, FUTURE),
        };
        (tense, self.pick(times))
    }

    fn say(&mut self, words: &str) {
        self.words.extend(words.split(' ').map(str::to_owned));
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.rank(words.len())]
    }

    /// An index below `count`, small ones more often.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below `count`
    fn rank(&mut self, count: usize) -> usize {
        let draw = self.rng.random::<f64>();
        (count as f64 * draw * draw.sqrt()) as usize
    }
}

/// `y` after a consonant, as in `berry` but not in `play`.
fn ends_in_consonant_y(word: &str) -> bool {
    let mut ends = word.chars().rev();
    ends.next() == Some('y') && !ends.next().is_some_and(|letter| "aeiou".contains(letter))
}

/// A noun's plural, or a verb's third person.
fn plural(word: &str) -> String {
    if ends_in_consonant_y(word) {
        format!("{}ies", &word[..word.len() - 1])
    } else if word.ends_with(['s', 'x', 'z']) || word.ends_with("ch") || word.ends_with("sh") {
        format!("{word}es")
    } else if let Some(stem) = word.strip_suffix("man") {
        format!("{stem}men")
    } else {
        match word {
            "tooth" => "teeth".to_owned(),
            "wolf" => "wolves".to_owned(),
            "thief" => "thieves".to_owned(),
            _ => format!("{word}s"),
        }
    }
}

/// A verb's past.
fn past(verb: &str) -> String {
    if ends_in_consonant_y(verb) {
        format!("{}ied", &verb[..verb.len() - 1])
    } else if verb.ends_with('e') {
        format!("{verb}d")
    } else {
        match verb {
            "sell" => "sold".to_owned(),
            "build" => "built".to_owned(),
            "feed" => "fed".to_owned(),
            _ => format!("{verb}ed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_the_sentences_and_the_parts_are_disjoint() {
        let parts = sentences(5, 3000, 300);
        assert_eq!(parts, sentences(5, 3000, 300));
        assert_ne!(parts, sentences(6, 3000, 300));
        let (train, valid) = parts;
        assert_eq!((train.len(), valid.len()), (3000, 300));
        assert!(valid.iter().all(|sentence| !train.contains(sentence)));
    }

    #[test]
    fn the_vocabulary_is_of_a_learnable_size_and_mostly_seen_in_training() {
        let (train, valid) = sentences(1, 8000, 400);
        let known: HashSet<&String> = train.iter().flatten().collect();
        assert!((600..2000).contains(&known.len()), "{} words", known.len());
        let unseen = valid.iter().flatten().filter(|word| !known.contains(word)).count();
        assert!(unseen < 10, "{unseen} words of the held-out part were never seen");
    }

    #[test]
    fn subject_and_verb_agree() {
        for sentence in &sentences(2, 4000, 0).0 {
            for pair in sentence.windows(2) {
                let pair = (pair[0].as_str(), pair[1].as_str());
                assert!(
                    !matches!(pair, ("they", "is" | "was") | ("she" | "he" | "it", "are" | "were")),
                    "{sentence:?}"
                );
                let vowel = pair.1.starts_with(['a', 'e', 'i', 'o']);
                assert!(!(pair.0 == "a" && vowel) && (pair.0 != "an" || !pair.1.starts_with('b')));
            }
            assert!([".", "?"].contains(&sentence.last().expect("no empty sentence").as_str()));
        }
    }

    #[test]
    fn a_document_keeps_to_its_theme() {
        let documents = documents(3, 40);
        assert_eq!(documents, super::documents(3, 40));
        let people = |sentence: &Sentence| {
            let of =
                |theme: &Theme| sentence.iter().any(|word| theme.people.contains(&word.as_str()));
            THEMES.iter().position(of)
        };
        let mut named = 0;
        for document in &documents {
            assert!(SENTENCES.contains(&document.len()));
            let themes: HashSet<usize> = document.iter().filter_map(people).collect();
            assert!(themes.len() <= 1, "{themes:?}");
            named += themes.len();
        }
        assert!(named > 30, "only {named} documents name people of a theme");
    }

    #[test]
    fn words_inflect() {
        assert_eq!(
            ["pony", "play", "coach", "box", "wolf"].map(plural).join(" "),
            "ponies plays coaches boxes wolves"
        );
        assert_eq!(
            ["copy", "play", "bake", "sell"].map(past).join(" "),
            "copied played baked sold"
        );
    }
}
