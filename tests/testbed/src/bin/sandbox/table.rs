//! The table: rows to lines, and lines to the terminal, in place where there is one and one after the other elsewhere.

use std::collections::HashMap;
use std::env;
use std::io::{IsTerminal, Write, stdout};

use terminal_size::{Height, Width, terminal_size};

use crate::words::Mood;

/// Columns and lines of a terminal that does not say how large it is.
const USUAL_SIZE: (usize, usize) = (120, 24);

const HEADS: [&str; 6] = ["EXAMPLE", "WHAT IT SHOWS", "NOW", "REASON", "PHOTO", "SEC"];
const GAP: &str = "  ";
const NAME: usize = 0;
const SHOWS: usize = 1;
const REASON: usize = 3;

/// No column is narrower, so that the table does not jump while it tells its story.
const LEAST: [usize; 6] = [0, 0, 32, 18, 5, 3];

/// Cut any shorter, what an example shows says nothing.
const LEGIBLE: usize = 24;

/// One removal.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) shows: String,
    pub(crate) mood: Mood,
    /// Where it stands, in plain words.
    pub(crate) now: String,
    pub(crate) reason: &'static str,
    /// Whether Microsoft's side still has the photo.
    pub(crate) photo: &'static str,
    /// How long it took, or has taken so far.
    pub(crate) seconds: u64,
}

/// What has been drawn so far.
pub(crate) struct Table {
    in_place: bool,
    colours: bool,
    drawn: usize,
    /// Where nothing can be drawn over: what was last said of each.
    said: HashMap<String, String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let in_place = stdout().is_terminal() && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        let colours = in_place && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { in_place, colours, drawn: 0, said: HashMap::new() }
    }

    /// Shows the rows. Output that nobody reads any more is no error.
    pub(crate) fn draw(&mut self, rows: &[Row]) {
        let text = if self.in_place { self.over(rows) } else { self.news(rows) };
        let mut out = stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// The whole table, over the one that was drawn before.
    fn over(&mut self, rows: &[Row]) -> String {
        let size = terminal_size().map(|(Width(width), Height(height))| (width.into(), height.into()));
        let (width, height) = size.unwrap_or(USUAL_SIZE);
        let mut lines = lines(rows, width, self.colours);
        // Lines that have left the screen at its upper end cannot be drawn over.
        lines.truncate(height.saturating_sub(1));
        let mut text = match self.drawn {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A"),
        };
        self.drawn = lines.len();
        for line in lines {
            text.push_str("\x1b[2K");
            text.push_str(&line);
            text.push('\n');
        }
        // Rows that are no more.
        text.push_str("\x1b[J");
        text
    }

    /// A line for each row of which there is something new to say.
    fn news(&mut self, rows: &[Row]) -> String {
        let mut text = String::new();
        for row in rows {
            let state = format!("{}/{}", row.reason, row.photo);
            if self.said.insert(row.name.clone(), state.clone()).as_ref() != Some(&state) {
                let Row { name, shows, now, reason, photo, seconds, .. } = row;
                let line = format!("{seconds:>3} s  {name:<17} {now:<34} {reason:<18} photo: {photo:<6} {shows}\n");
                text.push_str(&line);
            }
        }
        text
    }
}

/// A head and a line for each row, none wider than the terminal: a line that wraps would not be drawn over.
fn lines(rows: &[Row], width: usize, colours: bool) -> Vec<String> {
    // The last column stays empty: some terminals wrap when it is written to.
    let room = width.saturating_sub(1);
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let mut widths = LEAST;
    for (column, width) in widths.iter_mut().enumerate() {
        let longest = cells.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default();
        *width = longest.max(HEADS[column].len()).max(*width);
    }
    let widths = fit(widths, room);
    let mut lines = vec![line(&HEADS.map(str::to_owned), &widths, room)];
    for (row, cells) in rows.iter().zip(&cells) {
        let plain = line(cells, &widths, room);
        lines.push(if colours { format!("\x1b[{}m{plain}\x1b[0m", colour(row.mood)) } else { plain });
    }
    lines
}

fn cells(row: &Row) -> [String; 6] {
    let Row { name, shows, now, reason, photo, seconds, .. } = row;
    [name.clone(), shows.clone(), now.clone(), (*reason).to_owned(), (*photo).to_owned(), format!("{seconds:>3}")]
}

/// Takes from the columns what there is no room for. The reason goes before what an example shows: plain words say the
/// same beside it. A long name of the visitor's is cut before the photo or the seconds are. A column of no width is not
/// shown.
fn fit(natural: [usize; 6], room: usize) -> [usize; 6] {
    let mut widths = natural;
    for dropped in [None, Some(REASON), Some(SHOWS)] {
        if let Some(column) = dropped {
            widths[column] = 0;
        }
        let over = too_wide(&widths, room);
        if over == 0 || widths[SHOWS] >= LEGIBLE + over {
            widths[SHOWS] = widths[SHOWS].saturating_sub(over);
            return widths;
        }
    }
    widths[NAME] = widths[NAME].saturating_sub(too_wide(&widths, room)).max(HEADS[NAME].len());
    widths
}

/// How many columns of the terminal are missing.
fn too_wide(widths: &[usize; 6], room: usize) -> usize {
    let columns = widths.iter().filter(|width| **width > 0);
    columns.map(|width| width + GAP.len()).sum::<usize>().saturating_sub(room + GAP.len())
}

fn line(cells: &[String; 6], widths: &[usize; 6], room: usize) -> String {
    let shown = cells.iter().zip(widths).filter(|(_, width)| **width > 0);
    let padded: Vec<_> = shown.map(|(cell, width)| format!("{:<width$}", cut(cell, *width), width = *width)).collect();
    cut(padded.join(GAP).trim_end(), room)
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain((width > 0).then_some('…')).collect()
}

/// ANSI's number for it.
const fn colour(mood: Mood) -> u8 {
    match mood {
        Mood::Done => 32,
        Mood::Busy => 33,
        Mood::NeedsYou => 31,
        Mood::Quiet => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reason: &'static str) -> Row {
        Row {
            name: "leaver".to_owned(),
            shows: "A user's photo is removed".to_owned(),
            mood: Mood::Done,
            now: "done: photo removed".to_owned(),
            reason,
            photo: "none",
            seconds: 3,
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [1, 20, 80, 200] {
            for line in lines(&[row("Removed")], width, false) {
                assert!(line.chars().count() < width.max(2), "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn a_narrower_terminal_loses_the_reason_first_then_what_is_shown_and_never_the_state() {
        let rows = [
            (140, vec!["EXAMPLE", "WHAT IT SHOWS", "NOW", "REASON", "PHOTO", "SEC"]),
            (85, vec!["EXAMPLE", "WHAT IT SHOWS", "NOW", "PHOTO", "SEC"]),
            (60, vec!["EXAMPLE", "NOW", "PHOTO", "SEC"]),
        ];
        for (width, heads) in rows {
            let lines = lines(&[row("Removed")], width, false);
            for head in HEADS {
                assert_eq!(lines[0].contains(head), heads.contains(&head), "{head} at {width}: {lines:?}");
            }
            assert!(lines[1].contains("done: photo removed"), "{width}: {lines:?}");
        }
    }

    #[test]
    fn eighty_columns_hold_the_photo_and_the_seconds_however_long_a_name_is() {
        let long = Row { name: "a".repeat(253), ..row("Removed") };
        for row in [row("Removed"), long] {
            let lines = lines(&[row], 80, false);
            assert!(lines[0].ends_with("PHOTO  SEC"), "{lines:?}");
            assert!(lines[1].ends_with("  3") && lines[1].contains("none"), "{lines:?}");
        }
    }

    #[test]
    fn a_row_that_is_no_more_is_wiped_off() {
        let mut table = Table { in_place: true, colours: false, drawn: 0, said: HashMap::new() };
        table.over(&[row("Removed"), row("Removed")]);
        let text = table.over(&[row("Removed")]);
        assert!(text.starts_with("\x1b[3A") && text.ends_with("\x1b[J"), "{text:?}");
        assert_eq!(table.drawn, 2);
    }

    #[test]
    fn where_nothing_can_be_drawn_over_only_news_is_said() {
        let mut table = Table { in_place: false, colours: false, drawn: 0, said: HashMap::new() };
        assert!(table.news(&[row("Pending")]).contains("Pending"));
        assert_eq!(table.news(&[row("Pending")]), "");
        assert!(table.news(&[row("Removed")]).contains("Removed"));
    }
}
