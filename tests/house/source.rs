//! Rust source with everything blanked that is not code: comments, what is inside literals, and test code.
//!
//! A scanner for text, not a parser: it knows where literals and comments end, and that is enough for the checks.

use std::ops::Range;

/// The source with comments and the insides of literals as spaces. Lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = not_code(bytes, at);
        blank(&mut code, at..end.unwrap_or(at));
        at = end.unwrap_or(at + 1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// [`code`] without the items under `#[cfg(test)]`.
pub(crate) fn shipped(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let code = code(text);
    let mut kept = code.clone().into_bytes();
    for (start, _) in code.match_indices(MARK) {
        let item = start + MARK.len();
        let end = code[item..].find(['{', ';']).map_or(code.len(), |offset| match code.as_bytes()[item + offset] {
            b'{' => closing(&code, item + offset),
            _ => item + offset + 1,
        });
        blank(&mut kept, start..end);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The line, from 1, of a place in the text.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where `word` stands by itself: not inside a longer name or path segment.
pub(crate) fn word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let named = |byte: Option<&u8>| byte.is_some_and(|byte| is_name(*byte));
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = code.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !(named(bytes.get(at + word.len())) || named(before) && is_name(word.as_bytes()[0]))
    })
}

/// A function's name, the line it starts on and how many lines it takes from `fn` to the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// Every function with a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let functions = word(code, "fn").filter_map(|at| {
        let rest = &code[at + 2..];
        let name: String = rest.trim_start().bytes().take_while(|byte| is_name(*byte)).map(char::from).collect();
        let open = at + body(&code[at..])?;
        let lines = code[at..closing(code, open)].matches('\n').count() + 1;
        // Without a name it is a type, `fn(..)`.
        (!name.is_empty()).then(|| Function { name, line: line(code, at), lines })
    });
    functions.collect()
}

/// Where the body of a function that begins here opens; none if it ends with a semicolon.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' | b'}' if depth <= 0 => return None,
            _ => {}
        }
    }
    None
}

/// Just behind the brace that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code[open..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return open + offset + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

pub(crate) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn blank(code: &mut [u8], range: Range<usize>) {
    code[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// The end of the comment or literal that starts here, if one does.
fn not_code(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let within_a_name = at > 0 && is_name(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some(rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end)),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, b'"')),
        [b'\'', ..] => character(rest).map(|length| at + length),
        [b'r', ..] if !within_a_name => raw(rest).map(|length| at + length),
        [b'b' | b'c', b'r', ..] if !within_a_name => raw(&rest[1..]).map(|length| at + 1 + length),
        _ => None,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal's length; none for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        return Some(quoted(rest, b'\''));
    }
    let width = match first {
        0x00..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(2 + width)
}

/// A raw string's length, from its `r`.
fn raw(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let start = 2 + hashes;
    let length = rest[start..].windows(end.len()).position(|window| window == end)?;
    Some(start + length + end.len())
}

#[test]
fn comments_and_literals_are_no_code() {
    let cases = [
        ("let a = 1; // panic!", "let a = 1;"),
        ("a /* b /* c */ d */ e", "a e"),
        (r#"say("panic! \" {", b)"#, "say( , b)"),
        ("let r = r#\"a \" {\"#;", "let r = ;"),
        ("let c = br\"{\";", "let c = ;"),
        ("match c { '{' => '\\'', 'ä' => 'b' }", "match c { => , => }"),
        ("fn a<'a>(b: &'a str) {}", "fn a<'a>(b: &'a str) {}"),
        ("var\"a\"", "var"),
    ];
    for (text, expected) in cases {
        // How much blank stands for a literal is of no interest.
        assert_eq!(code(text).split_whitespace().collect::<Vec<_>>().join(" "), expected, "of {text:?}");
    }
}

#[test]
fn test_code_is_not_shipped() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { \"}\" }\n}\nfn c() {}\n#[cfg(test)]\nmod tests;\n";
    let shipped = shipped(text);
    assert_eq!(shipped.split_whitespace().collect::<Vec<_>>().join(" "), "fn a() {} fn c() {}");
    assert_eq!(shipped.lines().count(), text.lines().count());
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_brace() {
    let text = "trait T { fn none(a: [u8; 3]); }\nfn one() {}\nfn four(\n  call: fn(u8) -> [u8; 2],\n) {\n}\n";
    let found = functions(&code(text));
    let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
    assert_eq!(found, [function("one", 2, 1), function("four", 3, 4)]);
}

#[test]
fn a_word_stands_by_itself() {
    let found: Vec<usize> = word("rand operand rand_core a.unwrap() unwrap", "rand").collect();
    assert_eq!(found, [0]);
    assert_eq!(word("x.unwrap(1) y.unwrap_or()", ".unwrap").collect::<Vec<_>>(), [1]);
}
