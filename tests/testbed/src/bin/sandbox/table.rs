//! The table: rows to lines, and lines to the terminal, in place where there is one and one after the other elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, Write, stdout};

use crate::words::Mood;

/// Columns of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 120;

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
        let in_place = stdout().is_terminal();
        let colours = in_place && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
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
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&["\x1b[", &self.drawn.to_string(), "A"].concat());
        }
        for line in lines(rows, width, self.colours) {
            text.push_str("\x1b[2K");
            text.push_str(&line);
            text.push('\n');
        }
        self.drawn = rows.len() + 1;
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
    let widest = |head: &str, cell: fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or(0).max(head.len());
    let name = widest("EXAMPLE", |row| row.name.chars().count());
    let now = widest("NOW", |row| row.now.chars().count()).max(36);
    let reason = widest("REASON", |row| row.reason.len()).max(18);
    let line = |cells: [&str; 6]| {
        let [first, state, why, photo, seconds, shows] = cells;
        let line = format!("{first:<name$}  {state:<now$}  {why:<reason$}  {photo:<5}  {seconds:>4}  {shows}");
        line.chars().take(width.saturating_sub(1)).collect::<String>()
    };
    let mut lines = vec![line(["EXAMPLE", "NOW", "REASON", "PHOTO", "SEC", "WHAT IT SHOWS"])];
    for row in rows {
        let plain = line([&row.name, &row.now, row.reason, row.photo, &row.seconds.to_string(), &row.shows]);
        lines.push(if colours { format!("\x1b[{}m{plain}\x1b[0m", colour(row.mood)) } else { plain });
    }
    lines
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
    fn where_nothing_can_be_drawn_over_only_news_is_said() {
        let mut table = Table { in_place: false, colours: false, drawn: 0, said: HashMap::new() };
        assert!(table.news(&[row("Pending")]).contains("Pending"));
        assert_eq!(table.news(&[row("Pending")]), "");
        assert!(table.news(&[row("Removed")]).contains("Removed"));
    }
}
