//! What kind of file something is, by the end of its name.

const KINDS: &[(&str, &str)] = &[
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
];

/// The media type of a file of this name; bytes if nothing is known.
pub fn of(name: &str) -> String {
    let end = name.rsplit_once('.').map(|(_, end)| end.to_lowercase());
    let known = KINDS
        .iter()
        .find(|(known, _)| end.as_deref() == Some(known));
    known
        .map_or("application/octet-stream", |(_, kind)| kind)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_end_of_a_name_tells_the_kind() {
        assert_eq!(of("actas/Enero.PDF"), "application/pdf");
        assert_eq!(of("pdf"), "application/octet-stream");
        assert_eq!(of("a.pdf.sig"), "application/octet-stream");
    }
}
