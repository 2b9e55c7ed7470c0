//! Atom (RFC 4287).

use std::fmt::Write as _;

use crate::app::Entry;
use crate::markdown;
use crate::render::rfc3339;

/// What a feed is of.
pub(crate) struct Channel<'a> {
    /// Random id of the cluster, which makes ids unique in the world.
    pub cluster: &'a str,
    /// Base URL of the pages.
    pub base: &'a str,
    /// The area's name, if it is of one.
    pub area: Option<String>,
}

/// A feed of entries, newest first. The same entries give the same bytes.
pub(crate) fn render(channel: &Channel<'_>, entries: &[Entry]) -> String {
    let Channel {
        cluster,
        base,
        area,
    } = channel;
    let title = area.as_deref().unwrap_or("Consorcio");
    let kind = if area.is_some() { "area" } else { "all" };
    let first = entries.first();
    let number = first
        .filter(|_| area.is_some())
        .map_or(0, |entry| entry.area);
    let updated = rfc3339(first.map_or(0, |entry| entry.at_ms));
    let mut xml = String::with_capacity(1024);
    xml.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    xml.push_str("<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
    // Writing to a String cannot fail.
    let _ = write!(
        xml,
        "<title>{}</title>\n<id>urn:consorcio:{cluster}:{kind}:{number}</id>\n\
         <updated>{updated}</updated>\n<link rel=\"alternate\" href=\"{}\"/>\n\
         <generator>Consorcio</generator>\n",
        escape(title),
        escape(base),
    );
    for entry in entries {
        render_entry(&mut xml, channel, entry);
    }
    xml.push_str("</feed>\n");
    xml
}

/// What a feed's content is known by: an `ETag`.
///
/// The links in a feed name the node that was asked, and what it says is the same on any other. So
/// the tag leaves the addresses out, and is a weak one. It is made without the feed, which need not
/// be rendered for a reader that has it.
pub(crate) fn tag(Channel { cluster, area, .. }: &Channel<'_>, entries: &[Entry]) -> String {
    let mut hasher = blake3::Hasher::new();
    // The length before each part keeps two different feeds from looking the same.
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    // Another version may render them differently.
    part(env!("CARGO_PKG_VERSION"));
    part(cluster);
    part(area.as_deref().unwrap_or_default());
    for entry in entries {
        let Entry {
            area,
            area_name,
            post,
            author,
            at_ms,
            title,
            text,
        } = entry;
        for number in [area, post, at_ms] {
            part(&number.to_string());
        }
        for text in [area_name, author, title, text] {
            part(text);
        }
    }
    format!("W/\"{}\"", &hasher.finalize().to_hex()[..32])
}

fn render_entry(xml: &mut String, Channel { cluster, base, .. }: &Channel<'_>, entry: &Entry) {
    let Entry { area, post, .. } = entry;
    let at = rfc3339(entry.at_ms);
    let _ = write!(
        xml,
        "<entry>\n<title>{}</title>\n<id>urn:consorcio:{cluster}:post:{area}:{post}</id>\n\
         <published>{at}</published>\n<updated>{at}</updated>\n\
         <author><name>{}</name></author>\n<category term=\"{}\"/>\n\
         <link rel=\"alternate\" href=\"{}/areas/{area}/posts/{post}\"/>\n\
         <content type=\"html\">{}</content>\n</entry>\n",
        escape(&entry.title),
        escape(&entry.author),
        escape(&entry.area_name),
        escape(base),
        escape(&markdown::to_html(&entry.text)),
    );
}

/// Text as XML; characters that XML 1.0 cannot hold become a replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, text: &str) -> Entry {
        Entry {
            area: 3,
            area_name: "Obras & arreglos".to_owned(),
            post: 7,
            author: "ana".to_owned(),
            at_ms: 1_700_000_000_000,
            title: title.to_owned(),
            text: text.to_owned(),
        }
    }

    fn feed(entries: &[Entry]) -> String {
        let area = Some("Obras & arreglos".to_owned());
        render(
            &Channel {
                cluster: "c0ffee",
                base: "http://n1:8080",
                area,
            },
            entries,
        )
    }

    #[test]
    fn text_cannot_break_out_of_its_element() {
        let xml = feed(&[entry("</title><script>", "**a** <b> & \u{1}")]);
        assert!(
            xml.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"),
            "{xml}"
        );
        assert!(xml.contains("Obras &amp; arreglos"), "{xml}");
        assert!(xml.contains("&lt;strong&gt;a&lt;/strong&gt;"), "{xml}");
        assert!(!xml.contains('\u{1}'));
    }

    #[test]
    fn ids_and_links_name_the_post() {
        let xml = feed(&[entry("Agua", "Texto")]);
        assert!(
            xml.contains("<id>urn:consorcio:c0ffee:post:3:7</id>"),
            "{xml}"
        );
        assert!(
            xml.contains("href=\"http://n1:8080/areas/3/posts/7\""),
            "{xml}"
        );
        assert!(
            xml.contains("<updated>2023-11-14T22:13:20.000Z</updated>"),
            "{xml}"
        );
    }

    #[test]
    fn an_empty_feed_is_a_feed() {
        let xml = feed(&[]);
        assert!(
            xml.contains("<updated>1970-01-01T00:00:00.000Z</updated>"),
            "{xml}"
        );
        assert!(xml.ends_with("</feed>\n"));
    }
}
