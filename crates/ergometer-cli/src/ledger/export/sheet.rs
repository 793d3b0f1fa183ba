//! One table of flat columns in a Parquet file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::outcome::Stop;

/// Rows that are kept in memory, and make a group in the file.
const GROUP: usize = 1 << 14;

/// What a column holds; any value may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Number,
    Count,
    Flag,
    /// A time of the calendar, UTC.
    Moment,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(Option<String>),
    Number(Option<f64>),
    Count(Option<i64>),
    Flag(Option<bool>),
    /// Microseconds since 1970.
    Moment(Option<i64>),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }

    pub fn maybe_text(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }

    pub fn number(number: f64) -> Self {
        Self::Number(Some(number))
    }

    pub fn count(count: Option<u64>) -> Self {
        Self::Count(count.and_then(|count| i64::try_from(count).ok()))
    }

    /// RFC 3339.
    pub fn moment(text: &str) -> Self {
        Self::Moment(text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond))
    }
}

pub struct Sheet {
    path: PathBuf,
    /// The file until it is whole.
    beside: PathBuf,
    columns: &'static [(&'static str, Type)],
    writer: SerializedFileWriter<File>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// A table `name.parquet` in `folder`, which is made if it is not there.
    pub fn create(
        folder: &Path,
        name: &str,
        columns: &'static [(&'static str, Type)],
    ) -> Result<Self, Stop> {
        let path = folder.join(format!("{name}.parquet"));
        let beside = folder.join(format!("{name}.parquet.part"));
        let file = fs::create_dir_all(folder).and_then(|()| File::create(&beside));
        let file = file.map_err(|error| unwritten(&path, error))?;
        let schema = parse_message_type(&message(name, columns));
        let writer = schema.and_then(|schema| {
            let properties = Arc::new(WriterProperties::builder().build());
            SerializedFileWriter::new(file, Arc::new(schema), properties)
        });
        let writer = writer.map_err(|error| unwritten(&path, error))?;
        Ok(Self { path, beside, columns, writer, rows: Vec::new() })
    }

    /// Adds a row, with a value for each column.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), Stop> {
        debug_assert_eq!(row.len(), self.columns.len(), "{}", self.path.display());
        self.rows.push(row);
        if self.rows.len() >= GROUP { self.group() } else { Ok(()) }
    }

    /// Ends the file, which takes the place of an older one.
    pub fn close(mut self) -> Result<(), Stop> {
        self.group()?;
        let closed = self.writer.close();
        closed.map_err(|error| unwritten(&self.path, error))?;
        fs::rename(&self.beside, &self.path).map_err(|error| unwritten(&self.path, error))
    }

    fn group(&mut self) -> Result<(), Stop> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let written = self.writer.next_row_group().and_then(|mut group| {
            for column in 0..self.columns.len() {
                column_of(&mut group, rows.iter().map(|row| &row[column]), self.columns[column].1)?;
            }
            group.close().map(drop)
        });
        written.map_err(|error| unwritten(&self.path, error))
    }
}

fn unwritten(path: &Path, error: impl std::fmt::Display) -> Stop {
    Stop::new(format!("'{}' cannot be written: {error}", path.display()))
        .with_remedy("name a folder that you may write to, on a disk with room")
}

/// The schema in Parquet's own words.
fn message(name: &str, columns: &[(&str, Type)]) -> String {
    let column = |(name, kind): &(&str, Type)| match kind {
        Type::Text => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
        Type::Number => format!("OPTIONAL DOUBLE {name};"),
        Type::Count => format!("OPTIONAL INT64 {name};"),
        Type::Flag => format!("OPTIONAL BOOLEAN {name};"),
        Type::Moment => format!("OPTIONAL INT64 {name} (TIMESTAMP(MICROS,true));"),
    };
    format!("message {name} {{ {} }}", columns.iter().map(column).collect::<String>())
}

fn column_of<'a>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: impl Iterator<Item = &'a Cell>,
    kind: Type,
) -> Result<(), ParquetError> {
    match kind {
        Type::Text => values::<ByteArrayType>(group, cells, |cell| match cell {
            Cell::Text(text) => text.as_deref().map(ByteArray::from),
            _ => None,
        }),
        Type::Number => values::<DoubleType>(group, cells, |cell| match cell {
            Cell::Number(number) => *number,
            _ => None,
        }),
        Type::Count | Type::Moment => values::<Int64Type>(group, cells, |cell| match cell {
            Cell::Count(count) | Cell::Moment(count) => *count,
            _ => None,
        }),
        Type::Flag => values::<BoolType>(group, cells, |cell| match cell {
            Cell::Flag(flag) => *flag,
            _ => None,
        }),
    }
}

fn values<'a, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: impl Iterator<Item = &'a Cell>,
    value: impl Fn(&Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = cells.map(value).collect();
    // 1 where there is a value.
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the row has more columns than the table".to_owned()));
    };
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}
