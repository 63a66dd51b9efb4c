//! Every message that there is, as a page of the documentation, and what each of them owes to its reader.

mod credentials;
mod heart;

use std::fmt::Write as _;
use std::path::Path;

use uuid::Uuid;

use super::context::{Kept, Outbox, RETRY};
use super::keep::{KEPT, MADE_AGAIN};
use crate::api::{Category, PhotoRemovalStatus, Reason, condition};
use crate::cluster::{HEEDED, ObjectRef};
use crate::identity;
use crate::lifecycle::{Brought, Trouble};

const PAGE: &str = "docs/messages.md";

/// Whose photo the messages on the page are about; none of them may say so.
const PERSON: &str = "jane.doe@contoso.com";
const GROUP: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

/// What a message tells somebody to do begins with one of these.
const IMPERATIVES: [&str; 25] = [
    "Add", "Change", "Check", "Compare", "Correct", "Create", "Delete", "Enable", "Exempt", "Give", "Grant", "Have",
    "Look", "Publish", "Put", "Raise", "Refer", "Register", "Remove", "Set", "Sign in", "Take", "Turn", "Upgrade",
    "Write",
];

/// What one object says, and when.
struct Said {
    reason: Reason,
    category: Category,
    when: String,
    message: String,
}

impl Said {
    fn of(when: &str, status: &PhotoRemovalStatus) -> Self {
        let ready = status.condition(condition::READY).unwrap();
        let reason = Reason::named(&ready.reason).unwrap();
        Self { reason, category: status.category(), when: when.to_owned(), message: ready.message.clone() }
    }
}

/// Whatever an object can say, but for the numbers of Entra's refusals.
fn all() -> Vec<Said> {
    heart::all().into_iter().chain(credentials::all()).collect()
}

/// `UPDATE=1 cargo test --lib messages` writes the page anew instead of comparing it.
#[test]
fn the_page_of_messages_is_what_the_code_says() {
    let (expected, file) = (page(), Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE));
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let other = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert!(expected == found, "{PAGE} is old, from {other:?} on. Run `UPDATE=1 cargo test --lib messages`.");
}

#[test]
fn the_cache_keeps_the_annotations_and_labels_that_are_read() {
    let read: Vec<_> = RETRY.into_iter().chain(KEPT).collect();
    assert_eq!(read, HEEDED);
}

#[test]
fn what_is_kept_for_an_object_is_one_thing_and_goes_with_it() {
    let (outbox, who) = (Outbox::default(), seen_as(None));
    for uid in ["first", "second"] {
        outbox.put(who.clone(), brought_for(uid));
    }
    assert_eq!(outbox.take(&who).map(|kept| kept.uid).as_deref(), Some("second"));
    assert!(outbox.any().is_none());
}

/// The watch may lag behind: the object that it says is gone is not the one that was read.
#[test]
fn what_is_kept_for_an_object_does_not_go_with_its_namesake() {
    let outbox = Outbox::default();
    outbox.put(seen_as(Some("old")), brought_for("new"));
    for gone in [Some("old"), None] {
        outbox.drop_of(&seen_as(gone));
    }
    assert!(outbox.take(&seen_as(None)).is_some(), "what was done for the new one is still to be written down");
    for (seen, gone) in [(Some("old"), Some("new")), (Some("new"), None)] {
        outbox.put(seen_as(seen), brought_for("new"));
        outbox.drop_of(&seen_as(gone));
        assert!(outbox.any().is_none(), "seen as {seen:?}, gone as {gone:?}");
    }
}

fn seen_as(uid: Option<&str>) -> ObjectRef {
    let mut who = ObjectRef::new("leaver").within("offboarding");
    who.extra.uid = uid.map(str::to_owned);
    who
}

fn brought_for(uid: &str) -> Kept {
    let brought = Brought::Trouble(Trouble { reason: Reason::CredentialInvalid, message: "Trouble.".to_owned() });
    Kept { uid: uid.to_owned(), generation: 1, retry: None, before: None, brought }
}

#[test]
fn every_reason_has_its_messages() {
    let all = all();
    for reason in Reason::ALL {
        assert!(all.iter().any(|said| said.reason == reason), "the page of messages has none of {reason}");
    }
}

#[test]
fn messages_are_sentences_that_identify_nobody() {
    for message in everything() {
        assert!(message.starts_with(char::is_uppercase), "begins with a capital: {message}");
        assert!(message.ends_with('.') || is_numbered(&message), "ends with a full stop: {message}");
        assert!(message.len() <= 1_024, "fits into an event: {message}");
        let address =
            |word: &str| word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        let id = |word: &str| Uuid::try_parse(word.trim_matches(|c: char| !c.is_ascii_hexdigit())).is_ok();
        let told = message.split_whitespace().find(|word| address(word) || id(word));
        let named = [PERSON, GROUP, "jane"].into_iter().find(|name| message.to_lowercase().contains(name));
        assert!(told.or(named).is_none(), "identifies nobody: {message}");
    }
}

#[test]
fn messages_that_need_a_person_say_what_to_do() {
    let waits = |said: &Said| {
        matches!(said.category, Category::Stuck | Category::Resting) || said.reason == Reason::CredentialNotFound
    };
    let waiting = all().into_iter().filter(waits).map(|said| said.message);
    let refusals = identity::tests::refusals().into_iter().map(|(_, trouble)| trouble.message);
    for message in waiting.chain(refusals).chain([MADE_AGAIN.to_owned()]) {
        let begins = |clause: &str| IMPERATIVES.iter().any(|verb| clause.trim_start().starts_with(verb));
        assert!(message.split(". ").any(begins), "says what to do: {message}");
    }
}

fn everything() -> Vec<String> {
    let refusals = identity::tests::refusals().into_iter().map(|(_, trouble)| trouble.message);
    all().into_iter().map(|said| said.message).chain(refusals).chain([MADE_AGAIN.to_owned()]).collect()
}

/// Ends with the number under which Microsoft documents it.
fn is_numbered(message: &str) -> bool {
    let number = message.strip_suffix(')').and_then(|rest| rest.rsplit_once(". (AADSTS"));
    number.is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

const HEAD: &str = "\
# Messages

What a `PhotoRemoval` says in its conditions, which `kubectl get --output wide` and `kubectl describe` show, and in its
events. One sentence says what happened; where anybody can do anything, another one says what. No message names a person.
[The README](../README.md#what-the-reasons-mean-and-what-to-do) has the reasons at a glance,
[evidence.md](evidence.md) what else the status holds.

Times, names and numbers are examples: a Secret `contoso-graph`, a ServiceAccount `offboarder`. This page is written by a
test, out of the code that says these things: `UPDATE=1 cargo test --lib messages`.
";

const REFUSALS: &str = "
### Microsoft Entra's refusals by number

70021, 700211, 700212, 700213 and 700024 may pass by themselves, and are `SignInUnavailable` for the first 15 minutes.

| AADSTS | message |
|---|---|
";

fn page() -> String {
    let (all, mut page) = (all(), HEAD.to_owned());
    for reason in Reason::ALL {
        let rows: Vec<_> = all.iter().filter(|said| said.reason == reason).collect();
        let mut states: Vec<_> = rows.iter().map(|said| said.category).collect();
        states.dedup();
        let states: Vec<_> = states.into_iter().map(state).collect();
        write!(page, "\n## `{reason}`\n\n{}\n\n| when | message |\n|---|---|\n", states.join(" ")).unwrap();
        for said in rows {
            writeln!(page, "| {} | {} |", said.when, said.message).unwrap();
        }
        if reason == Reason::CredentialInvalid {
            page.push_str(REFUSALS);
            for (numbers, trouble) in identity::tests::refusals() {
                writeln!(page, "| {numbers} | {} |", trouble.message).unwrap();
            }
        }
    }
    write!(page, "\n## The event `MadeAgain`\n\nA warning beside the outcome; no condition says it.\n\n{MADE_AGAIN}\n")
        .unwrap();
    page
}

const fn state(category: Category) -> &'static str {
    match category {
        Category::Done => "`Ready` is True: it is done.",
        Category::GoingOn => "`Ready` is False and `Reconciling` True: the operator goes on by itself.",
        Category::Resting => "`Ready` is False, and that is all: somebody asked for a rest.",
        Category::Stuck => "`Ready` is False and `Stalled` True: a person must act.",
    }
}
