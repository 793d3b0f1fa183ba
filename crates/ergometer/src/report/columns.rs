//! Tables that fit the width of a terminal.
//!
//! Figures are never shortened. Where there is no room for everything, prose is wrapped, names are shortened in their
//! middle, and titles are wrapped. Columns for which there is still no room follow in a table below, which begins with
//! the same first column.

use std::fmt::Write as _;
use std::iter;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::printable::line;

/// Between two columns.
const GAP: usize = 2;
/// Names are not shortened to less, prose is not wrapped to less.
const SHORTEST_NAME: usize = 16;
const NARROWEST_PROSE: usize = 16;
/// The narrowest table there is.
const NARROWEST: usize = 40;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// May be shortened.
    Name,
    /// May be wrapped.
    Prose,
    /// Shown as it is: what is copied from the table.
    Exact,
    /// Shown as it is, on the right.
    Figure,
}

/// A column of a [`Table`].
#[derive(Clone, Debug)]
pub struct Column {
    title: String,
    content: Content,
}

impl Column {
    /// Names, which are shortened where there is no room.
    pub fn name(title: impl Into<String>) -> Self {
        Self { title: title.into(), content: Content::Name }
    }

    /// Prose, which is wrapped where there is no room.
    pub fn prose(title: impl Into<String>) -> Self {
        Self { title: title.into(), content: Content::Prose }
    }

    /// Words that a reader may copy.
    pub fn exact(title: impl Into<String>) -> Self {
        Self { title: title.into(), content: Content::Exact }
    }

    /// Figures.
    pub fn figure(title: impl Into<String>) -> Self {
        Self { title: title.into(), content: Content::Figure }
    }

    /// The heading.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether it has figures, which stand on the right.
    #[must_use]
    pub fn is_figure(&self) -> bool {
        self.content == Content::Figure
    }
}

/// Rows below titles.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these rows, whose control characters are removed.
    pub fn new(columns: Vec<Column>, rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let printable = |row: Vec<String>| row.iter().map(|cell| line(cell).into_owned()).collect();
        Self { columns, rows: rows.into_iter().map(printable).collect() }
    }

    /// The table for a terminal, no line of which is wider than `width` (or 40).
    #[must_use]
    pub fn fit(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut text = String::new();
        let mut rest: Vec<usize> = (1..self.columns.len()).collect();
        loop {
            let has_room = |count: &usize| {
                let floors = iter::once(0).chain(rest[..*count].iter().copied());
                total(floors.map(|column| self.floor(column))) <= width
            };
            let count = (0..=rest.len()).rev().find(has_room).unwrap_or(0).max(1).min(rest.len());
            let group: Vec<usize> = iter::once(0).chain(rest.drain(..count)).collect();
            if !text.is_empty() {
                text.push('\n');
            }
            self.draw(&group, &self.widths(&group, width), &mut text);
            if rest.is_empty() {
                return text;
            }
        }
    }

    /// The table as Markdown, where each row is a line. Cells are taken as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("|");
        for column in &self.columns {
            let _ = write!(text, " {} |", column.title);
        }
        text.push_str("\n|");
        for column in &self.columns {
            text.push_str(if column.is_figure() { "---:|" } else { "---|" });
        }
        text.push('\n');
        for row in &self.rows {
            text.push('|');
            for cell in row {
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text
    }

    /// The width of the widest cell of a column.
    fn widest(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0)
    }

    /// The width of a column that has room.
    fn natural(&self, column: usize) -> usize {
        self.widest(column).max(self.columns[column].title.width())
    }

    /// The width that a column needs.
    fn floor(&self, column: usize) -> usize {
        let Column { title, content } = &self.columns[column];
        let word = title.split(' ').map(str::width).max().unwrap_or(0);
        match content {
            Content::Name => self.natural(column).min(SHORTEST_NAME),
            Content::Prose => self.natural(column).min(NARROWEST_PROSE),
            Content::Exact | Content::Figure => self.widest(column).max(word),
        }
    }

    /// The widths of these columns, at most `width` together.
    fn widths(&self, group: &[usize], width: usize) -> Vec<usize> {
        /// Which columns give way first, and how far.
        const STAGES: [(&[Content], usize); 5] = [
            (&[Content::Prose], 36),
            (&[Content::Name], 24),
            (&[Content::Prose], 20),
            (&[Content::Exact, Content::Figure], 0),
            (&[Content::Name, Content::Prose], 0),
        ];
        let mut widths: Vec<usize> = group.iter().map(|column| self.natural(*column)).collect();
        for (contents, least) in STAGES {
            while total(widths.iter().copied()) > width {
                let narrower = |place: &usize| {
                    let column = group[*place];
                    let least = self.floor(column).max(least);
                    contents.contains(&self.columns[column].content) && widths[*place] > least
                };
                let widest = (0..group.len()).filter(narrower).max_by_key(|place| widths[*place]);
                let Some(widest) = widest else { break };
                widths[widest] -= 1;
            }
        }
        // A single cell that is wider than the table is wrapped.
        let excess = total(widths.iter().copied()).saturating_sub(width);
        if let Some(widest) = widths.iter_mut().max() {
            *widest -= excess.min(*widest - 1);
        }
        widths
    }

    fn draw(&self, group: &[usize], widths: &[usize], text: &mut String) {
        let titles = group.iter().zip(widths).map(|(column, width)| {
            let title = &self.columns[*column].title;
            wrap(title, *width)
        });
        let mut titles: Vec<Vec<String>> = titles.collect();
        let height = titles.iter().map(Vec::len).max().unwrap_or(0);
        for title in &mut titles {
            // Titles stand directly above their column.
            let above = height - title.len();
            title.splice(0..0, iter::repeat_n(String::new(), above));
        }
        self.draw_row(group, widths, &titles, text);
        let _ = writeln!(text, "{}", "─".repeat(total(widths.iter().copied())));
        for row in &self.rows {
            let cells = group.iter().zip(widths).map(|(column, width)| {
                let cell = &row[*column];
                match self.columns[*column].content {
                    Content::Name => vec![shorten(cell, *width)],
                    _ => wrap(cell, *width),
                }
            });
            self.draw_row(group, widths, &cells.collect::<Vec<_>>(), text);
        }
    }

    fn draw_row(
        &self,
        group: &[usize],
        widths: &[usize],
        cells: &[Vec<String>],
        text: &mut String,
    ) {
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for number in 0..height {
            let mut drawn = String::new();
            for ((column, width), cell) in group.iter().zip(widths).zip(cells) {
                if !drawn.is_empty() || *column != group[0] {
                    drawn.push_str(&" ".repeat(GAP));
                }
                let cell = cell.get(number).map_or("", String::as_str);
                let room = " ".repeat(width.saturating_sub(cell.width()));
                if self.columns[*column].content == Content::Figure {
                    drawn.push_str(&room);
                    drawn.push_str(cell);
                } else {
                    drawn.push_str(cell);
                    drawn.push_str(&room);
                }
            }
            let _ = writeln!(text, "{}", drawn.trim_end());
        }
    }
}

/// The width of a table with columns of these widths.
fn total(widths: impl Iterator<Item = usize>) -> usize {
    widths.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// A name with its beginning and its end, at most `width` wide.
fn shorten(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail_room = room / 3;
    let head = taken(name.chars(), room - tail_room);
    let tail = taken(name.chars().rev(), tail_room);
    format!("{}…{}", head, tail.chars().rev().collect::<String>())
}

/// The first of these characters that have room.
fn taken(characters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

/// `text` in lines of at most `width`, broken between words, and inside a word that is wider than a line.
#[must_use]
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    // What indents a name.
    let words = text.trim_start_matches(' ');
    let mut lines = vec![" ".repeat((text.len() - words.len()).min(width / 2))];
    for (number, mut word) in words.split(' ').enumerate() {
        let used = lines.last().map_or(0, |line| line.width());
        let is_first = number == 0 || used == 0;
        if !is_first && used + 1 + word.width() > width {
            lines.push(String::new());
        } else if !is_first {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
        }
        loop {
            let room = width - lines.last().map_or(0, |line| line.width()).min(width);
            if word.width() <= room {
                break;
            }
            let part = taken(word.chars(), room);
            word = &word[part.len()..];
            lines.last_mut().into_iter().for_each(|line| line.push_str(&part));
            lines.push(String::new());
            if part.is_empty() && room == width {
                // A character that is wider than a line.
                break;
            }
        }
        lines.last_mut().into_iter().for_each(|line| line.push_str(word));
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// A paragraph in lines of at most `width`, all but the first of which are indented by `indent`.
#[must_use]
pub fn paragraph(text: &str, indent: usize, width: usize) -> String {
    let lines = wrap(text, width.max(NARROWEST).saturating_sub(indent));
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> Table {
        let columns = vec![
            Column::name("span"),
            Column::figure("energy"),
            Column::figure("outside its children"),
            Column::prose("constant (source, year)"),
        ];
        let row = |name: &str, note: &str| {
            vec![name.to_owned(), "24 ± 28 J".to_owned(), "1.234 kJ".to_owned(), note.to_owned()]
        };
        let long = "458.29 g/kWh, World, life-cycle (Our World in Data from Ember, 2025)";
        Table::new(columns, [row("· · phase transformer.encoder.7.attention", long), row("b", "")])
    }

    #[test]
    fn a_wide_terminal_has_the_wide_table_and_a_narrow_one_shorter_names_and_wrapped_prose() {
        let wide = table().fit(200);
        assert_eq!(wide.lines().count(), 4, "{wide}");
        assert!(wide.contains("· · phase transformer.encoder.7.attention"), "{wide}");
        let narrow = table().fit(80);
        assert!(narrow.lines().all(|line| line.width() <= 80), "{narrow}");
        assert!(narrow.contains("24 ± 28 J") && narrow.contains("1.234 kJ"), "{narrow}");
        assert!(narrow.contains("…tention"), "{narrow}");
        let words = narrow.split_whitespace().filter(|word| *word == "Ember,").count();
        assert_eq!(words, 1, "prose is whole: {narrow}");
    }

    #[test]
    fn columns_without_room_follow_below_behind_the_same_names() {
        let columns = iter::once(Column::name("steps of"))
            .chain((0..9).map(|number| Column::figure(format!("p{number}"))));
        let row = |name: &str| {
            let figures = (0..9).map(|number| format!("{number}.234 ± 0.062 kJ"));
            iter::once(name.to_owned()).chain(figures).collect::<Vec<_>>()
        };
        let table = Table::new(columns.collect(), [row("train"), row("valid")]);
        for width in [60, 80, 120, 200] {
            let text = table.fit(width);
            assert!(text.lines().all(|line| line.width() <= width), "{width}: {text}");
            for number in 0..9 {
                let figure = format!("{number}.234 ± 0.062 kJ");
                assert_eq!(text.matches(&figure).count(), 2, "{width}: {text}");
            }
        }
        assert_eq!(table.fit(200).matches("train").count(), 1);
        assert!(table.fit(60).matches("train").count() > 2);
    }

    #[test]
    fn markdown_has_a_line_for_each_row() {
        let text = table().markdown();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(text.lines().nth(1), Some("|---|---:|---:|---|"));
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_whatever_the_text(
            cells in prop::collection::vec(prop::collection::vec(".{0,60}", 5), 1..5),
            width in 40..200_usize,
        ) {
            let columns = vec![
                Column::name("a name"),
                Column::prose("some prose"),
                Column::exact("exact"),
                Column::figure("a figure"),
                Column::figure(""),
            ];
            let text = Table::new(columns, cells).fit(width);
            for line in text.lines() {
                prop_assert!(line.width() <= width, "{} > {}: {}", line.width(), width, text);
            }
        }

        #[test]
        fn wrapped_text_has_all_words(text in "[a-zß漢]{1,12}( [a-zß漢]{1,12}){0,20}", width in 12..60_usize) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.width() <= width), "{:?}", lines);
            let together = lines.concat().replace(' ', "");
            prop_assert_eq!(together, text.replace(' ', ""));
        }
    }
}
