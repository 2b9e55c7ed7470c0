//! What a node logs, line by line.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::screen::Screen;

/// A longer line is shown in pieces.
const LINE_MAX_BYTES: u64 = 16 * 1024;

/// Shows each line that a node writes, until it has ended.
pub async fn follow(from: Option<impl AsyncRead + Unpin>, place: usize, screen: Screen) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    while let Some(line) = next(&mut from).await {
        screen.line(place, line);
    }
}

async fn next(from: &mut BufReader<impl AsyncRead + Unpin>) -> Option<String> {
    let mut line = Vec::new();
    let count = from
        .take(LINE_MAX_BYTES)
        .read_until(b'\n', &mut line)
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&line);
    (count > 0).then(|| text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_read_whole_and_bounded() {
        let long = "x".repeat(LINE_MAX_BYTES as usize + 1);
        let text = format!("one\r\n\n{long}\nlast");
        let mut from = BufReader::new(text.as_bytes());
        let mut sizes = Vec::new();
        while let Some(line) = next(&mut from).await {
            sizes.push(line.len());
        }
        assert_eq!(sizes, [3, 0, LINE_MAX_BYTES as usize, 1, 4]);
    }
}
