//! Rows as a Parquet file: a row group for each batch, Snappy inside, numbers and text that may be missing.

use super::{Kind, OutColumn, OutValues};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::io::{self, Write};
use std::sync::Arc;

pub struct Pages<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> Pages<W> {
    pub fn new(sink: W, columns: &[OutColumn]) -> io::Result<Self> {
        let fields: Result<Vec<_>, ParquetError> = columns.iter().map(|c| Ok(Arc::new(field(c)?))).collect();
        let fields = fields.map_err(io::Error::other)?;
        let schema =
            Type::group_type_builder("rows").with_fields(fields).build().map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("mlc {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties));
        Ok(Pages { writer: writer.map_err(io::Error::other)? })
    }

    pub fn write(&mut self, batch: &[OutValues]) -> io::Result<()> {
        self.group(batch).map_err(io::Error::other)
    }

    fn group(&mut self, batch: &[OutValues]) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for values in batch {
            let column = group.next_column()?.expect("table_out: a column for each of the schema's");
            match values {
                OutValues::F32(v) => put::<FloatType>(column, v.iter().map(|x| (!x.is_nan()).then_some(*x)))?,
                OutValues::F64(v) => {
                    put::<DoubleType>(column, v.iter().map(|x| (!x.is_nan()).then_some(*x)))?
                }
                OutValues::I64(v) => put::<Int64Type>(column, v.iter().map(|x| Some(*x)))?,
                OutValues::Text(v) => {
                    put::<ByteArrayType>(column, v.iter().map(|t| t.as_deref().map(ByteArray::from)))?;
                }
            }
        }
        group.close().map(|_| ())
    }

    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(io::Error::other)
    }
}

fn field(column: &OutColumn) -> Result<Type, ParquetError> {
    let physical = match column.kind {
        Kind::F32 => Physical::FLOAT,
        Kind::F64 => Physical::DOUBLE,
        Kind::I64 => Physical::INT64,
        Kind::Text => Physical::BYTE_ARRAY,
    };
    let builder = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    match column.kind {
        Kind::Text => builder.with_logical_type(Some(LogicalType::String)).build(),
        Kind::F32 | Kind::F64 | Kind::I64 => builder.build(),
    }
}

/// Writes one column of a row group.
fn put<T: DataType>(
    mut column: SerializedColumnWriter<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    column.typed::<T>().write_batch(&there, Some(&levels), None)?;
    column.close()
}
