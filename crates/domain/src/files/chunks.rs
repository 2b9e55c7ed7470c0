//! The hashes of a file's chunks, many in a row of the table: see [`BLOCK_HASHES`].

use crate::context::Context;
use crate::files::HASH_BYTES;
use crate::sql::{Fault, Param, Sql};

/// Hashes in a row: 32 KiB, what a gibibyte takes. A file of the largest size has sixteen rows, and
/// whoever walks over all of them is never handed more than a few at once.
pub(crate) const BLOCK_HASHES: usize = 1_024;

/// Stores the hashes of a file that has none.
pub(crate) fn insert(context: &mut Context<'_>, file: i64, chunks: &[u8]) -> Result<(), Fault> {
    for (block, hashes) in chunks.chunks(BLOCK_HASHES * HASH_BYTES).enumerate() {
        let params: [Param<'_>; 3] = [file.into(), (block as i64).into(), hashes.into()];
        context.sql.execute(
            "INSERT INTO file_chunks (file, block, hashes) VALUES (?1, ?2, ?3)",
            &params,
        )?;
    }
    Ok(())
}

/// Forgets them. The chunks themselves go when no file has named them for a while.
pub(crate) fn remove(context: &mut Context<'_>, file: i64) -> Result<(), Fault> {
    context
        .sql
        .execute("DELETE FROM file_chunks WHERE file = ?1", &[file.into()])?;
    Ok(())
}

/// All of them, in order.
pub(crate) fn of(sql: &mut dyn Sql, file: i64) -> Result<Vec<u8>, Fault> {
    let rows = sql.query(
        "SELECT hashes FROM file_chunks WHERE file = ?1 ORDER BY block",
        &[file.into()],
    )?;
    let mut hashes = Vec::new();
    for row in &rows {
        hashes.extend_from_slice(row.blob(0)?);
    }
    Ok(hashes)
}
