//! Markdown to HTML that is safe to show: what a member writes can format, link, and nothing else.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// Renders Markdown. Raw HTML is shown as text, links may only lead where a click is harmless, and
/// images become links, so that reading a post tells nobody that it is read.
pub(crate) fn to_html(markdown: &str) -> String {
    let options =
        Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(markdown, options).map(tamed);
    let mut rendered = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut rendered, events);
    rendered
}

/// The first `max` characters of what it says, without the formatting.
pub(crate) fn excerpt(markdown: &str, max: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    for event in Parser::new_ext(
        markdown,
        Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES,
    ) {
        let part = match &event {
            Event::Text(part) | Event::Code(part) | Event::Html(part) | Event::InlineHtml(part) => {
                part
            }
            Event::End(
                TagEnd::Emphasis
                | TagEnd::Strong
                | TagEnd::Strikethrough
                | TagEnd::Link
                | TagEnd::Image,
            ) => continue,
            Event::SoftBreak | Event::HardBreak | Event::End(_) => " ",
            _ => continue,
        };
        for letter in part
            .chars()
            .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        {
            if count == max {
                return format!("{}…", text.trim_end());
            }
            // What ends a table cell or a list item is one space, however much ends there.
            if letter != ' ' || !(text.is_empty() || text.ends_with(' ')) {
                text.push(letter);
                count += 1;
            }
        }
    }
    text.trim_end().to_owned()
}

fn tamed(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Event::Start(link(dest_url))
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    }
}

fn link(target: CowStr<'_>) -> Tag<'_> {
    let dest_url = if is_harmless(&target) {
        target
    } else {
        CowStr::Borrowed("#")
    };
    let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
    Tag::Link {
        link_type: LinkType::Inline,
        dest_url,
        title,
        id,
    }
}

/// Whether following a link cannot run anything. A relative one stays on this site.
fn is_harmless(target: &str) -> bool {
    let lower = target.trim().to_ascii_lowercase();
    let absolute = ["http://", "https://", "mailto:", "tel:"];
    if absolute.iter().any(|scheme| lower.starts_with(scheme)) {
        return true;
    }
    // Browsers drop control characters from a scheme, so none may be there.
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '\\';
    !lower.contains(':') && !lower.starts_with("//") && lower.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_works() {
        let html = to_html("# Uno\n\n- **a**\n- [b](https://example.org/?q=1&r=2)\n\n~~c~~");
        assert!(html.contains("<h1>Uno</h1>"), "{html}");
        assert!(html.contains("<li><strong>a</strong></li>"), "{html}");
        assert!(
            html.contains("href=\"https://example.org/?q=1&amp;r=2\""),
            "{html}"
        );
        assert!(html.contains("<del>c</del>"), "{html}");
    }

    #[test]
    fn html_is_shown_not_run() {
        for evil in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div>\n<iframe src=//x></iframe>\n</div>",
            "<!-- --><svg/onload=alert(1)>",
        ] {
            let html = to_html(evil);
            for tag in ["<script", "<img", "<iframe", "<div", "<svg"] {
                assert!(!html.contains(tag), "{evil} gave {html}");
            }
        }
    }

    #[test]
    fn links_that_run_things_lead_nowhere() {
        for evil in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "[x](data:text/html,hi)",
            "[x](vbscript:x)",
            "[x](//elsewhere.example)",
            "<javascript:alert(1)>",
        ] {
            let html = to_html(evil);
            assert!(
                html.contains("href=\"#\"") || !html.contains("href"),
                "{evil} gave {html}"
            );
        }
    }

    #[test]
    fn images_are_links() {
        let html = to_html("![plano](https://example.org/plano.png)");
        assert_eq!(
            html,
            "<p><a href=\"https://example.org/plano.png\">plano</a></p>\n"
        );
    }

    #[test]
    fn an_excerpt_is_plain_and_short() {
        assert_eq!(
            excerpt("# Uno\n\n- **dos**, *y*\n- [tres](x)", 100),
            "Uno dos, y tres"
        );
        assert_eq!(excerpt("ñandú ñandú", 5), "ñandú…");
        assert_eq!(excerpt("<script>x</script>", 100), "<script>x</script>");
        assert_eq!(excerpt("", 10), "");
    }

    #[test]
    fn deep_nesting_does_not_overflow() {
        let html = to_html(&"> ".repeat(30_000));
        assert!(html.len() < 4_000_000);
        assert!(!to_html(&"[".repeat(60_000)).is_empty());
    }
}
