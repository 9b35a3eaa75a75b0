//! Rows that are the same: in all columns, to the letter.

use super::split::Parts;
use super::table::{Cells, Table};

/// A row of one of the tables, and the part that it is in: 0 train, 1 valid, 2 test, 3 none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub table: usize,
    pub row: u32,
    pub part: usize,
}

/// How often rows occur again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Same {
    /// Rows that are the same as an earlier one, and the first such pair.
    pub again: usize,
    pub first: Option<(Place, Place)>,
    /// For train and valid, train and test, valid and test: the rows of the second that are in the first as well,
    /// and the first such pair.
    pub across: [Across; 3],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Across {
    pub rows: usize,
    pub first: Option<(Place, Place)>,
}

/// Pairs of parts in the order of [`Same::across`].
pub const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];
pub const PARTS: [&str; 3] = ["train", "valid", "test"];

/// Every row of the tables: the first is parted, `valid` and `test` are parts as they are.
pub fn places(
    main: &Table,
    parts: Option<&Parts>,
    valid: Option<&Table>,
    test: Option<&Table>,
) -> Vec<Place> {
    let mut part_of = vec![3; main.rows];
    if let Some(parts) = parts {
        for (part, rows) in [&parts.train, &parts.valid, &parts.test].into_iter().enumerate() {
            rows.iter().for_each(|row| part_of[*row as usize] = part);
        }
    }
    let of_main =
        part_of.into_iter().enumerate().map(|(row, part)| Place { table: 0, row: row as u32, part });
    let whole = |table: Option<&Table>, at: usize| {
        let rows = table.map_or(0, |t| t.rows as u32);
        (0..rows).map(move |row| Place { table: at, row, part: at })
    };
    of_main.chain(whole(valid, 1)).chain(whole(test, 2)).collect()
}

/// Compares the rows at `places` of tables with the same columns; of others only rows of one table are compared.
pub fn rows(tables: [Option<&Table>; 3], places: &[Place]) -> Same {
    let main = tables[0].expect("data: there is a table");
    let columns = tables.map(|table| table.and_then(|table| columns_like(main, table)));
    let known = places.iter().filter(|p| columns[p.table].is_some());
    let mut keyed: Vec<(u64, Place)> = known
        .map(|place| {
            let (table, columns) = (tables[place.table], columns[place.table].as_ref());
            let (table, columns) =
                (table.expect("data: a row has a table"), columns.expect("data: just seen"));
            (fingerprint(table, columns, place.row as usize), *place)
        })
        .collect();
    keyed.sort_unstable();
    let mut same = Same::default();
    for run in keyed.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let equal = |a: &Place, b: &Place| {
            let side = |p: &Place| (tables[p.table].expect("data: a row has a table"), p.row as usize);
            let of = |p: &Place| columns[p.table].as_ref().expect("data: just seen");
            let ((a_table, a_row), (b_table, b_row)) = (side(a), side(b));
            of(a).iter().zip(of(b)).all(|(x, y)| {
                let mut left = Vec::new();
                let mut right = Vec::new();
                cell_bytes(a_table, *x, a_row, &mut |bytes| left.extend_from_slice(bytes));
                cell_bytes(b_table, *y, b_row, &mut |bytes| right.extend_from_slice(bytes));
                left == right
            })
        };
        // Other rows of the same fingerprint are practically never there; they are left out.
        let all: Vec<Place> = run.iter().map(|(_, place)| *place).filter(|p| equal(&run[0].1, p)).collect();
        note(&mut same, &all);
    }
    same
}

/// Counts rows that are all the same, in order of table and row.
fn note(same: &mut Same, all: &[Place]) {
    if all.len() < 2 {
        return;
    }
    same.again += all.len() - 1;
    let earlier = |known: &Option<(Place, Place)>, pair: (Place, Place)| {
        known.is_none_or(|(a, b)| (pair.0, pair.1) < (a, b))
    };
    let pair = (all[0], all[1]);
    if earlier(&same.first, pair) {
        same.first = Some(pair);
    }
    for ((one, other), across) in PAIRS.into_iter().zip(&mut same.across) {
        let in_part = |part: usize| all.iter().filter(move |p| p.part == part);
        let (Some(a), Some(b)) = (in_part(one).next(), in_part(other).next()) else { continue };
        across.rows += in_part(other).count();
        if earlier(&across.first, (*a, *b)) {
            across.first = Some((*a, *b));
        }
    }
}

/// Where another table has the columns of `main`; none if it lacks one or has it in another form.
fn columns_like(main: &Table, other: &Table) -> Option<Vec<usize>> {
    let form = |cells: &Cells| match cells {
        Cells::Text(_) => Some(0),
        Cells::U8 { .. } => Some(1),
        Cells::I32 { .. } => Some(2),
        Cells::F32 { .. } => Some(3),
        Cells::F64 { .. } => Some(4),
        Cells::Gone => None,
    };
    let read = main.columns.iter().filter(|c| form(&c.cells).is_some());
    read.map(|column| {
        let at = other.column(&column.name)?;
        (form(&other.columns[at].cells) == form(&column.cells)).then_some(at)
    })
    .collect()
}

fn fingerprint(table: &Table, columns: &[usize], row: usize) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15u64;
    for column in columns {
        cell_bytes(table, *column, row, &mut |bytes| {
            let mut chunks = bytes.chunks_exact(8);
            for chunk in &mut chunks {
                hash = stir(hash, u64::from_le_bytes(chunk.try_into().expect("data: chunks of eight")));
            }
            let mut rest = [0; 8];
            rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
            hash = stir(hash, u64::from_le_bytes(rest));
            // Where one value ends and the next begins.
            hash = stir(hash, bytes.len() as u64);
        });
    }
    hash
}

/// A round of multiplication and shift, as in splitmix64.
fn stir(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}

/// Hands over the bytes of one value.
fn cell_bytes(table: &Table, column: usize, row: usize, f: &mut dyn FnMut(&[u8])) {
    fn numbers<T: Copy, const N: usize>(
        shape: &[usize],
        data: &[T],
        row: usize,
        bytes: fn(T) -> [u8; N],
        f: &mut dyn FnMut(&[u8]),
    ) {
        let width: usize = shape.iter().product();
        data[row * width..(row + 1) * width].iter().for_each(|x| f(&bytes(*x)));
    }
    match &table.columns[column].cells {
        Cells::Text(cells) => f(table.cell_text(cells[row]).as_bytes()),
        Cells::U8 { row: shape, data } => {
            let width: usize = shape.iter().product();
            f(&data[row * width..(row + 1) * width]);
        }
        Cells::I32 { row: shape, data } => numbers(shape, data, row, i32::to_le_bytes, f),
        Cells::F32 { row: shape, data } => numbers(shape, data, row, f32::to_le_bytes, f),
        Cells::F64 { row: shape, data } => numbers(shape, data, row, f64::to_le_bytes, f),
        Cells::Gone => {}
    }
}
