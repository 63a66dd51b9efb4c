//! Each object costs the API server no more than what happened to it is worth.

use emulator::{Listener, Recorded};
use jiff::Timestamp;

use super::super::evidence::{Evidence, Write};
use super::super::ledger::Life;
use super::super::plan::PLACES;
use crate::faults::Seen;

/// Writes for an object to which nothing happens: what it waits for, that it goes on, that its time is over, how it ended.
const ORDINARY: usize = 4;

/// No status may be written twice in a row, and each object's writes must not be more than this, of which nothing counts
/// that came after its last write:
///
/// - [`ORDINARY`] ones, and two for each edit, which may end what goes on and begin something else;
/// - one for each request to Graph about its owner, who may be named by several objects;
/// - one for each change of its credential, and for each sign-in and each token of its application that was refused: such
///   trouble is told to every object that waits for the credential;
/// - one for each process that ended, and for each fault of the API server that a call about the object or its credential
///   met: whoever cannot know what is stored writes it again.
///
/// As many live reads, of all objects of a name together, since they tell no uid.
pub(in super::super) fn judge(evidence: &Evidence<'_>, met: &[Seen]) -> Vec<String> {
    let lives = &evidence.ledger.lives;
    let mut offences = Vec::new();
    for (number, life) in lives.iter().enumerate() {
        let name = &life.name;
        let writes: Vec<&Write> = evidence.writes.iter().filter(|write| write.uid == life.uid).collect();
        let most = writes.last().map_or(0, |last| budget(evidence, life, met, last.span.done));
        if writes.len() > most {
            offences.push(format!("{} writes of {name}, for which {most} have a cause", writes.len()));
        }
        let twice = writes.windows(2).filter(|pair| pair[0].status == pair[1].status);
        offences.extend(twice.map(|pair| format!("{name} was written at {} as it was", pair[1].span.done)));
        let of_the_name = |other: &&Life| other.namespace == life.namespace && other.name == life.name;
        if lives[..number].iter().any(|other| of_the_name(&other)) {
            continue;
        }
        let reads = evidence.reads.iter().filter(|read| read.namespace == life.namespace && read.name == *name);
        let reads: Vec<_> = reads.map(|read| read.span.done).collect();
        let last = reads.iter().copied().max().unwrap_or(Timestamp::MIN);
        let most: usize = lives.iter().filter(of_the_name).map(|life| budget(evidence, life, met, last)).sum();
        if reads.len() > most {
            offences.push(format!("{} reads of {name}, for which {most} have a cause", reads.len()));
        }
    }
    offences
}

fn budget(evidence: &Evidence<'_>, life: &Life, met: &[Seen], until: Timestamp) -> usize {
    let ledger = evidence.ledger;
    let since = life.made().began;
    let edits = life.versions[1..].iter().filter(|(span, _)| span.began <= until).count();
    let requests = || evidence.requests.iter().filter(|request| (since..=until).contains(&request.time));
    let is_of_the_owner = |request: &Recorded| {
        request.target.as_ref().is_some_and(|target| ledger.owner(target.name()) == Some(life.owner))
    };
    let tries = requests().filter(|request| is_of_the_owner(request)).count();
    let changes = ledger.tampered.iter().filter(|(place, span)| *place == life.place && span.began <= until).count();
    let place = PLACES[life.place];
    // The credential may have named the other application for a while.
    let refused = |request: &&Recorded| {
        is_refusal(request) && (changes > 0 || request.client_id.as_ref() == ledger.clients.get(place.app))
    };
    let refusals = requests().filter(refused).count();
    let endings =
        ledger.endings.iter().filter(|ending| ending.span.done >= since && ending.span.began <= until).count();
    let within = format!("/{}/", life.namespace);
    let concerns = |seen: &&Seen| {
        let mut parts = seen.path.split(['?', '/']);
        seen.fault.is_some() && seen.path.contains(&within) && parts.any(|part| part == life.name || part == place.name)
    };
    let faults = met.iter().filter(concerns).count();
    ORDINARY + 2 * edits + tries + changes + refusals + endings + faults
}

/// A sign-in without a token, or a token that is not taken.
fn is_refusal(request: &Recorded) -> bool {
    match request.listener {
        Listener::SignIn => request.status != Some(200),
        Listener::Graph => request.status == Some(401),
    }
}
