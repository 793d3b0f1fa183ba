//! `cargo xtask paper`: the tables of Strubell, Ganesh and McCallum (2019), worked out again.

mod figures;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::stop::Stop;
use figures::Figure;

/// Work out Tables 1, 3 and 4 of the paper again and print each figure beside the printed one
///
/// Every figure comes from the library's own formulas and the paper's inputs. Where a printed input
/// does not give the printed result, the correction and its reason stand beside it. Fails if a figure
/// agrees neither way. Table 2 holds other authors' figures, from which nothing is worked out; it is
/// printed as it is.
#[derive(Debug, clap::Args)]
pub struct Paper {}

impl Paper {
    /// Prints the tables.
    #[expect(clippy::unused_self, reason = "every task is run the same way")]
    pub fn run(&self) -> Result<(), Stop> {
        let tables = [
            ("Table 1: familiar consumption and models (lb CO2e)", figures::table_1()),
            ("Table 3: cost of training, and hours of training", figures::table_3()),
            ("Table 4: cost of a project (LISA, EMNLP 2018)", figures::table_4()),
        ];
        println!(
            "Strubell, Ganesh and McCallum (2019), Energy and Policy Considerations for Deep Learning in NLP"
        );
        let mut wrong = Vec::new();
        for (number, (title, figures)) in tables.iter().enumerate() {
            println!("\n{title}\n{}", table(figures));
            if number == 0 {
                println!(
                    "\nTable 2: energy sources (%), as printed; rows leave out oil and others\n{}",
                    mix()
                );
            }
            wrong.extend(figures.iter().filter(|figure| !figure.agrees()).map(Figure::name));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Stop::failed(format!(
            "figures that do not follow from their inputs: {}",
            wrong.join("; ")
        )))
    }
}

fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn table(figures: &[Figure]) -> Table {
    let mut table = new(&["row", "figure", "printed", "recomputed", "corrected", "note"]);
    for figure in figures {
        table.add_row([
            figure.row.to_owned(),
            figure.quantity.to_owned(),
            figures::grouped(figure.printed),
            figure.recomputed.map_or_else(String::new, |value| format!("{value:.2}")),
            figure.corrected.as_ref().map_or_else(String::new, |(value, _)| format!("{value:.2}")),
            figure.note().to_owned(),
        ]);
    }
    for column in 2..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn mix() -> Table {
    let mut table = new(&["consumer", "renewable", "gas", "coal", "nuclear"]);
    for (consumer, shares) in figures::TABLE_2 {
        let shares = shares.map(|share| share.to_string());
        table.add_row(std::iter::once(consumer.to_owned()).chain(shares));
    }
    table
}
