//! Sentences as patterns: fixed words and placeholders. Pure: (patterns, text) -> the sentences of the text, or where it stops being known.

/// Patterns that a text consists of, and the contents of their placeholders.
pub type Parsed<'a> = Vec<(usize, Vec<&'a str>)>;

/// A part of a pattern.
#[derive(Debug)]
enum Part {
    Words(&'static str),
    Place(fn(&str) -> bool),
}

/// A sentence with placeholders, such as `Connection group {name} is gone.`
#[derive(Debug)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    pub fn new(text: &'static str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((words, from)) = rest.split_once('{') {
            let (place, after) = from.split_once('}').expect("a place ends");
            parts.push(Part::Words(words));
            parts.push(Part::Place(place_of(place)));
            rest = after;
        }
        parts.push(Part::Words(rest));
        Self(parts)
    }
}

fn place_of(place: &str) -> fn(&str) -> bool {
    match place {
        "name" | "op" => is_name,
        "id" | "arn" => |text| !text.is_empty() && !text.contains(char::is_whitespace),
        "n" => |text| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit()),
        "value" => is_value,
        "names" => |text| text.split(", ").all(|name| !name.is_empty() && !name.contains(' ')),
        "changes" => |text| items(text, ", ").all(is_change),
        "drift" => |text| items(text, "; ").all(is_difference),
        // A text of CloudFront or the transport; never more than one sentence.
        "cause" => |text| text.is_empty() || (text.starts_with(": ") && is_clause(text)),
        "text" => |text| !text.is_empty() && is_clause(text),
        other => panic!("no such place: {other}"),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

fn is_value(text: &str) -> bool {
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    text == "nothing" || quoted.is_some_and(|value| !value.contains('\''))
}

fn is_clause(text: &str) -> bool {
    !text.contains(". ")
}

fn items<'a>(text: &'a str, between: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(between)
}

/// `enabled from 'true' to 'false'`
fn is_change(text: &str) -> bool {
    change(text).is_some()
}

pub fn change(text: &str) -> Option<(&str, &str, &str)> {
    let (field, rest) = text.split_once(" from ")?;
    let (from, to) = rest.split_once(" to ")?;
    (!field.contains(' ') && is_value(from) && is_value(to)).then_some((
        field,
        from.trim_matches('\''),
        to.trim_matches('\''),
    ))
}

/// `enabled is 'false', the spec says 'true'`
fn is_difference(text: &str) -> bool {
    difference(text).is_some()
}

pub fn difference(text: &str) -> Option<(&str, &str, &str)> {
    let (field, rest) = text.split_once(" is ")?;
    let (is, says) = rest.split_once(", the spec says ")?;
    (!field.contains(' ') && is_value(is) && is_value(says)).then_some((
        field,
        is.trim_matches('\''),
        says.trim_matches('\''),
    ))
}

/// The sentences of a text, in order. Where there are several ways to read it, the one whose patterns come first.
///
/// # Errors
/// The rest of the text where no pattern matches.
pub fn parse<'a>(patterns: &[Pattern], text: &'a str) -> Result<Parsed<'a>, &'a str> {
    let mut found = Vec::new();
    let mut furthest = text;
    if sentences(patterns, text, &mut found, &mut furthest) { Ok(found) } else { Err(furthest) }
}

fn sentences<'a>(patterns: &[Pattern], text: &'a str, found: &mut Parsed<'a>, furthest: &mut &'a str) -> bool {
    if text.is_empty() {
        return true;
    }
    if text.len() < furthest.len() {
        *furthest = text;
    }
    patterns.iter().enumerate().any(|(number, Pattern(parts))| {
        found.push((number, Vec::new()));
        let is_read = matches(parts, text, found, &mut |rest, found| {
            let next = rest.strip_prefix(' ').unwrap_or(rest);
            (rest.is_empty() || next.len() < rest.len()) && sentences(patterns, next, found, furthest)
        });
        if !is_read {
            found.pop();
        }
        is_read
    })
}

fn matches<'a>(
    parts: &[Part],
    text: &'a str,
    found: &mut Parsed<'a>,
    then: &mut dyn FnMut(&'a str, &mut Parsed<'a>) -> bool,
) -> bool {
    match parts.split_first() {
        None => then(text, found),
        Some((Part::Words(words), parts)) => {
            text.strip_prefix(words).is_some_and(|rest| matches(parts, rest, found, then))
        }
        Some((Part::Place(fits), parts)) => (0..=text.len()).filter(|end| text.is_char_boundary(*end)).any(|end| {
            let (place, rest) = text.split_at(end);
            // What has to follow at once is checked first: it is cheap.
            let follows = !matches!(parts.first(), Some(Part::Words(words)) if !rest.starts_with(words));
            if !follows || !fits(place) {
                return false;
            }
            let depth = found.len();
            found[depth - 1].1.push(place);
            let is_read = matches(parts, rest, found, then);
            if !is_read {
                found.truncate(depth);
                found[depth - 1].1.pop();
            }
            is_read
        }),
    }
}

#[test]
fn a_text_is_parsed_into_sentences_and_an_unknown_one_is_shown() {
    let patterns =
        ["Connection group {name} is gone.", "It differs: {drift}.", "{op} failed{cause}."].map(Pattern::new);
    let read = |text| parse(&patterns, text).map(|parsed| parsed.into_iter().map(|(number, _)| number).collect());
    assert_eq!(read("Connection group edge is gone. GetIt failed: NoSuch: it is. Not here."), Err("Not here."));
    assert_eq!(read("Connection group edge is gone. GetIt failed: NoSuch: it is."), Ok(vec![0, 2]));
    assert_eq!(read("It differs: a is 'x', the spec says nothing; b is 'y', the spec says 'z'."), Ok(vec![1]));
    assert_eq!(read("Connection group edge is gone"), Err("Connection group edge is gone"));
}
