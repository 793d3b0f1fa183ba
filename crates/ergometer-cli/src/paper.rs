//! `ergometer paper`: the tables of Strubell, Ganesh and McCallum (2019), worked out again.

mod figures;

use ergometer::report::Column;
use serde::Serialize;

use crate::outcome::{CHECK_FAILED, Outcome, Stop};
use crate::table::{grouped, table, wrapped};
use figures::Figure;

/// Work out Tables 1, 3 and 4 of the paper again and print each figure beside the printed one
///
/// Every figure comes from the library's own formulas and the paper's inputs. Where a printed input
/// does not give the printed result, the correction and its reason stand beside it. Exits with 1 if a figure
/// agrees neither way. Table 2 holds other authors' figures, from which nothing is worked out; it is
/// printed as it is.
#[derive(Debug, clap::Args)]
pub struct Paper {
    /// Print JSON: Tables 1, 3 and 4
    #[arg(long)]
    json: bool,
}

/// A table of the paper.
#[derive(Serialize)]
struct Recomputed {
    table: u8,
    title: &'static str,
    figures: Vec<Figure>,
}

impl Paper {
    pub fn run(self) -> Result<Outcome, Stop> {
        let tables = [
            (1, "familiar consumption and models (lb CO2e)", figures::table_1()),
            (3, "cost of training, and hours of training", figures::table_3()),
            (4, "cost of a project (LISA, EMNLP 2018)", figures::table_4()),
        ];
        let tables = tables.map(|(table, title, figures)| Recomputed { table, title, figures });
        outcome(&tables, self.json)
    }
}

/// The tables; with exit code 0 only if every figure agrees.
fn outcome(tables: &[Recomputed], json: bool) -> Result<Outcome, Stop> {
    let all = tables.iter().flat_map(|table| &table.figures);
    let wrong: Vec<String> = all.filter(|figure| !figure.agrees()).map(Figure::name).collect();
    let outcome = if json { Outcome::json(&tables)? } else { Outcome::of(text(tables, &wrong)) };
    Ok(if wrong.is_empty() { outcome } else { outcome.with_code(CHECK_FAILED) })
}

fn text(tables: &[Recomputed], wrong: &[String]) -> String {
    let mut text = wrapped(
        "Strubell, Ganesh and McCallum (2019), Energy and Policy Considerations for Deep Learning in NLP",
    );
    for Recomputed { table: number, title, figures } in tables {
        text += "\n";
        text += &wrapped(&format!("Table {number}: {title}"));
        text += &of_figures(figures);
        if *number == 1 {
            text += "\n";
            text +=
                &wrapped("Table 2: energy sources (%), as printed; rows leave out oil and others");
            text += &mix();
        }
    }
    if !wrong.is_empty() {
        let list = wrong.join("; ");
        text += &wrapped(&format!("figures that do not follow from their inputs: {list}"));
    }
    text
}

fn of_figures(figures: &[Figure]) -> String {
    let row = |figure: &Figure| {
        vec![
            figure.row.to_owned(),
            figure.quantity.to_owned(),
            figure.note().to_owned(),
            grouped(figure.printed),
            figure.recomputed.map_or_else(String::new, |value| format!("{value:.2}")),
            figure.corrected.as_ref().map_or_else(String::new, |(value, _)| format!("{value:.2}")),
        ]
    };
    let text = [Column::prose("row"), Column::prose("figure"), Column::prose("note")];
    table(text, ["printed", "recomputed", "corrected"], figures.iter().map(row))
}

fn mix() -> String {
    let row = |(consumer, shares): (&str, [u32; 4])| {
        let shares = shares.map(|share| share.to_string());
        std::iter::once(consumer.to_owned()).chain(shares).collect()
    };
    let shares = ["renewable", "gas", "coal", "nuclear"];
    table([Column::name("consumer")], shares, figures::TABLE_2.into_iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_figure_that_does_not_follow_makes_the_exit_code_1() {
        let tables = |figures| [Recomputed { table: 3, title: "cost of training", figures }];
        let right = || figures::table_3();
        let mut wrong = right();
        wrong[0].printed += 1.0;
        let mut unexplained = right();
        let bert = unexplained.iter_mut().find(|figure| figure.corrected.is_some()).unwrap();
        bert.corrected = None;
        for json in [false, true] {
            assert_eq!(outcome(&tables(right()), json).unwrap().code(), 0);
            assert_eq!(outcome(&tables(wrong.clone()), json).unwrap().code(), CHECK_FAILED);
            assert_eq!(outcome(&tables(unexplained.clone()), json).unwrap().code(), CHECK_FAILED);
        }
    }
}
