//! Whole numbers below a million, in English and in German words.

/// The first number that cannot be written.
pub const LIMIT: u32 = 1_000_000;

const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The units as they stand inside a word: `ein` where the number alone is `eins`.
const GERMAN: [&str; 20] = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 10] = [
    "", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
];

/// `number` in English words, the American way without "and".
///
/// # Panics
/// When `number` is [`LIMIT`] or more.
pub fn english(number: u32) -> String {
    assert!(number < LIMIT, "{number} is not below {LIMIT}");
    let (thousands, rest) = (number / 1000, number % 1000);
    let mut words = Vec::new();
    if thousands > 0 {
        words.push(english_below_1000(thousands));
        words.push("thousand".to_owned());
    }
    if rest > 0 || thousands == 0 {
        words.push(english_below_1000(rest));
    }
    words.join(" ")
}

fn english_below_1000(number: u32) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    match (hundreds, rest) {
        (0, _) => english_below_100(rest),
        (_, 0) => format!("{} hundred", ENGLISH[hundreds as usize]),
        _ => format!("{} hundred {}", ENGLISH[hundreds as usize], english_below_100(rest)),
    }
}

fn english_below_100(number: u32) -> String {
    let (tens, units) = ((number / 10) as usize, (number % 10) as usize);
    match (tens, units) {
        (0 | 1, _) => ENGLISH[number as usize].to_owned(),
        (_, 0) => ENGLISH_TENS[tens].to_owned(),
        _ => format!("{}-{}", ENGLISH_TENS[tens], ENGLISH[units]),
    }
}

/// `number` as the one word that it is in German.
///
/// # Panics
/// When `number` is [`LIMIT`] or more.
pub fn german(number: u32) -> String {
    assert!(number < LIMIT, "{number} is not below {LIMIT}");
    let (thousands, rest) = (number / 1000, number % 1000);
    let mut word = String::new();
    if thousands > 0 {
        word += &german_below_1000(thousands);
        word += "tausend";
    }
    if rest > 0 || thousands == 0 {
        word += &german_below_1000(rest);
    }
    // One is `ein` inside a word and `eins` at its end.
    if rest % 100 == 1 {
        word.push('s');
    }
    word
}

fn german_below_1000(number: u32) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    match (hundreds, rest) {
        (0, _) => german_below_100(rest),
        (_, 0) => format!("{}hundert", GERMAN[hundreds as usize]),
        _ => format!("{}hundert{}", GERMAN[hundreds as usize], german_below_100(rest)),
    }
}

fn german_below_100(number: u32) -> String {
    let (tens, units) = ((number / 10) as usize, (number % 10) as usize);
    match (tens, units) {
        (0 | 1, _) => GERMAN[number as usize].to_owned(),
        (_, 0) => GERMAN_TENS[tens].to_owned(),
        _ => format!("{}und{}", GERMAN[units], GERMAN_TENS[tens]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn english_words() {
        for (number, words) in [
            (0, "zero"),
            (13, "thirteen"),
            (40, "forty"),
            (21, "twenty-one"),
            (100, "one hundred"),
            (101, "one hundred one"),
            (1000, "one thousand"),
            (7_012, "seven thousand twelve"),
            (20_300, "twenty thousand three hundred"),
            (999_999, "nine hundred ninety-nine thousand nine hundred ninety-nine"),
        ] {
            assert_eq!(english(number), words);
        }
    }

    #[test]
    fn german_words() {
        for (number, word) in [
            (0, "null"),
            (1, "eins"),
            (11, "elf"),
            (16, "sechzehn"),
            (17, "siebzehn"),
            (21, "einundzwanzig"),
            (30, "dreißig"),
            (66, "sechsundsechzig"),
            (77, "siebenundsiebzig"),
            (100, "einhundert"),
            (101, "einhunderteins"),
            (111, "einhundertelf"),
            (1000, "eintausend"),
            (1001, "eintausendeins"),
            (1101, "eintausendeinhunderteins"),
            (21_000, "einundzwanzigtausend"),
            (101_000, "einhunderteintausend"),
            (201_201, "zweihunderteintausendzweihunderteins"),
            (345_678, "dreihundertfünfundvierzigtausendsechshundertachtundsiebzig"),
        ] {
            assert_eq!(german(number), word);
        }
    }

    #[test]
    fn no_two_numbers_share_their_words() {
        let all = (0..LIMIT).step_by(7);
        let count = all.clone().count();
        assert_eq!(all.clone().map(english).collect::<HashSet<_>>().len(), count);
        assert_eq!(all.map(german).collect::<HashSet<_>>().len(), count);
    }
}
