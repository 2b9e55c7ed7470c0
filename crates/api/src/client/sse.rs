//! Server-sent events as the HTML standard defines them (§9.2), from bytes to messages. Pure.

/// The longest message: an event with a title is far below; a server must not make a client hold
/// more.
const MESSAGE_MAX_BYTES: usize = 1024 * 1024;

/// A message of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// `id:`, if the message has one.
    pub(super) id: Option<String>,
    /// `event:`, empty if the message has none.
    pub(super) kind: String,
    /// The `data:` lines; a message without any only moves the id.
    pub(super) data: String,
}

/// A message is longer than this client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes the stream's bytes in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    message: Message,
    has_data: bool,
    /// The last byte was a carriage return, so a line feed belongs to the same end of line.
    after_return: bool,
}

impl Parser {
    /// Reads `bytes` and adds the messages that are complete to `out`.
    pub(super) fn read(&mut self, bytes: &[u8], out: &mut Vec<Message>) -> Result<(), TooLong> {
        for &byte in bytes {
            let second_of_two = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if second_of_two => {}
                b'\n' | b'\r' => out.extend(self.end_of_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.message.data.len() > MESSAGE_MAX_BYTES {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// Takes a whole line; an empty one ends the message.
    fn end_of_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            return self.end_of_message();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.message.kind),
            "data" => self.add_data(value),
            // A comment (a heartbeat), a retry hint or a field of a later standard.
            _ => {}
        }
        None
    }

    fn add_data(&mut self, value: &str) {
        if self.has_data {
            self.message.data.push('\n');
        }
        self.message.data.push_str(value);
        self.has_data = true;
    }

    fn end_of_message(&mut self) -> Option<Message> {
        let message = std::mem::take(&mut self.message);
        self.has_data = false;
        (message != Message::default()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_in_pieces(text: &str, size: usize) -> Vec<Message> {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            parser.read(piece, &mut out).unwrap();
        }
        out
    }

    fn message(id: Option<&str>, kind: &str, data: &str) -> Message {
        Message {
            id: id.map(str::to_owned),
            kind: kind.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn messages_are_read_whatever_the_pieces_and_line_ends() {
        let text = ": heartbeat\n\nid: 7-0\nevent: post.published\ndata: {\"a\":1}\n\n\
                    data:first\ndata: second\r\n\r\nid: 8-0\n\nretry: 10\nunknown\n\ndata: ñ\r\r";
        let expected = [
            message(Some("7-0"), "post.published", "{\"a\":1}"),
            message(None, "", "first\nsecond"),
            message(Some("8-0"), "", ""),
            message(None, "", "ñ"),
        ];
        for size in 1..text.len() {
            assert_eq!(read_in_pieces(text, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_unfinished_message_is_not_given_out() {
        assert_eq!(read_in_pieces("id: 1-0\ndata: half", 3), []);
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let endless = vec![b'x'; MESSAGE_MAX_BYTES + 1];
        assert_eq!(parser.read(&endless, &mut out), Err(TooLong));
    }
}
