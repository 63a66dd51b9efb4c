//! Draws a plan.

use std::time::Duration;

use super::super::chance::Chance;
use super::{Action, Change, Endings, Kind, NEVER, Owner, Plan, Step, Tampering, Temper, Wish, trouble};

/// Longer than any storm.
const NEVER_COMES: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// So many objects are made before anything else happens.
const FIRST: usize = 6;

/// Whether the API server answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Up,
    Stopped,
    Paused,
}

/// What the plan knows of the state that it leads to.
struct Draw {
    chance: Chance,
    temper: Temper,
    endings: Endings,
    owners: Vec<Owner>,
    /// Whether each object is there.
    objects: Vec<bool>,
    /// Whether each process runs.
    replicas: Vec<bool>,
    api: Api,
    retries: u64,
}

/// The plan of that seed, of so many steps, for so many replicas of the operator.
pub(crate) fn draw(seed: u64, steps: usize, replicas: usize, temper: Temper, endings: Endings) -> Plan {
    let mut draw = Draw {
        chance: Chance::new(seed),
        temper,
        endings,
        owners: Vec::new(),
        objects: Vec::new(),
        replicas: vec![true; replicas.max(1)],
        api: Api::Up,
        retries: 0,
    };
    let steps = (0..steps)
        .filter_map(|number| {
            let after = if number < FIRST { Duration::ZERO } else { draw.pause() };
            let action = if number < FIRST { draw.create() } else { draw.action()? };
            Some(Step { after, action })
        })
        .collect();
    Plan { owners: draw.owners, steps }
}

impl Draw {
    fn pause(&mut self) -> Duration {
        let longest = if self.temper == Temper::Patient { 400 } else { 150 };
        match self.chance.below(4) {
            0 => Duration::ZERO,
            _ => self.chance.milliseconds(0, longest),
        }
    }

    fn action(&mut self) -> Option<Action> {
        // Neither state is left for long: without an API server there is nothing to see.
        match self.api {
            Api::Stopped if self.chance.one_in(3) => return Some(self.api_comes(Action::StartApi)),
            Api::Paused if self.chance.one_in(3) => return Some(self.api_comes(Action::ResumeApi)),
            Api::Stopped | Api::Paused => return self.elsewhere(),
            Api::Up => {}
        }
        if let Some(replica) = self.replicas.iter().position(|runs| !runs) {
            if self.chance.one_in(3) {
                self.replicas[replica] = true;
                return Some(Action::Start { replica });
            }
            // What the process has learnt about a credential, its successor has to get on without.
            if self.chance.one_in(4) {
                return Some(self.take_or_replace());
            }
        }
        match self.chance.below(100) {
            0..22 => Some(self.create()),
            22..36 => self.edit(),
            36..42 => self.remove(),
            42..48 => Some(self.tamper()),
            48..50 => Some(Action::Cut),
            50..52 => Some(Action::Compact),
            52..54 => Some(self.api_goes()),
            54..66 => trouble::api(&mut self.chance, self.temper),
            _ => self.elsewhere(),
        }
    }

    /// What goes on without an API server.
    fn elsewhere(&mut self) -> Option<Action> {
        match self.chance.below(20) {
            0..10 => trouble::graph(&mut self.chance, &self.owners, self.temper),
            10..13 => trouble::sign_in(&mut self.chance, self.temper),
            13 => Some(Action::ExpireTokens),
            _ => self.end_or_freeze_a_replica(),
        }
    }

    fn end_or_freeze_a_replica(&mut self) -> Option<Action> {
        if self.endings == Endings::Never {
            return None;
        }
        let running: Vec<usize> = (0..self.replicas.len()).filter(|replica| self.replicas[*replica]).collect();
        let replica = *self.chance.pick(&running)?;
        if self.chance.one_in(3) {
            let longest = if self.temper == Temper::Patient { 12_000 } else { 5_000 };
            return Some(Action::Freeze { replica, length: self.chance.milliseconds(500, longest) });
        }
        self.replicas[replica] = false;
        let kills = self.chance.one_in(2);
        Some(if kills { Action::Kill { replica } } else { Action::Terminate { replica } })
    }

    fn api_goes(&mut self) -> Action {
        if self.chance.one_in(2) {
            self.api = Api::Stopped;
            Action::StopApi
        } else {
            self.api = Api::Paused;
            Action::PauseApi
        }
    }

    fn api_comes(&mut self, how: Action) -> Action {
        self.api = Api::Up;
        how
    }

    fn create(&mut self) -> Action {
        let object = self.objects.len();
        self.objects.push(true);
        // Now and then two objects name one owner.
        let known = self.chance.below(self.owners.len().max(1));
        let owner = if !self.owners.is_empty() && self.chance.one_in(8) { known } else { self.owner() };
        let place = if self.chance.one_in(25) { NEVER } else { self.chance.below(NEVER) };
        Action::Create { object, owner, place, wish: self.wish() }
    }

    fn owner(&mut self) -> usize {
        use Kind::{
            DelegatedGroup, Group, GroupWithoutPhoto, OnPremises, UnknownGroup, UnknownUser, User, UserById,
            UserWithoutPhoto,
        };
        let kinds = [
            User,
            User,
            User,
            User,
            User,
            UserById,
            UserById,
            UserWithoutPhoto,
            UserWithoutPhoto,
            UnknownUser,
            Group,
            Group,
            GroupWithoutPhoto,
            UnknownGroup,
            OnPremises,
            DelegatedGroup,
        ];
        let kind = kinds[self.chance.below(kinds.len())];
        let id = self.chance.guid();
        let is_group = matches!(kind, Group | GroupWithoutPhoto | UnknownGroup | DelegatedGroup);
        let name = if is_group { id.clone() } else { format!("{}.{}@contoso.com", super::super::PERSON, &id[..8]) };
        self.owners.push(Owner { kind, id, name });
        self.owners.len() - 1
    }

    fn wish(&mut self) -> Wish {
        let mut wish = Wish::default();
        let chance = &mut self.chance;
        match chance.below(16) {
            0 => wish.suspend = true,
            1 => wish.dry_run = true,
            2 => wish.not_before = Some(Duration::from_secs(chance.between(1, 3))),
            3 => wish.not_before = Some(NEVER_COMES),
            4 => wish.not_after = Some(Duration::ZERO),
            5 => wish.not_after = Some(Duration::from_secs(chance.between(1, 4))),
            6 => wish.backoff_limit = Some(i32::try_from(chance.between(0, 3)).unwrap_or(0)),
            7 => wish.ttl = Some(i64::try_from(chance.between(0, 1)).unwrap_or(0)),
            _ => {}
        }
        wish
    }

    fn there(&mut self) -> Option<usize> {
        let there: Vec<usize> = (0..self.objects.len()).filter(|object| self.objects[*object]).collect();
        self.chance.pick(&there).copied()
    }

    fn edit(&mut self) -> Option<Action> {
        let object = self.there()?;
        let seconds = Duration::from_secs(self.chance.between(0, 3));
        let change = match self.chance.below(10) {
            0 | 1 => Change::Suspend(true),
            2 | 3 => Change::Suspend(false),
            4 => Change::DryRun(true),
            5 => Change::DryRun(false),
            6 => Change::NotBefore(self.chance.one_in(2).then_some(seconds)),
            7 => Change::NotAfter(self.chance.one_in(2).then_some(seconds)),
            _ => {
                self.retries += 1;
                Change::Retry(self.retries)
            }
        };
        Some(Action::Edit { object, change })
    }

    fn remove(&mut self) -> Option<Action> {
        let object = self.there()?;
        if self.chance.one_in(2) {
            return Some(Action::Recreate { object });
        }
        self.objects[object] = false;
        Some(Action::Delete { object })
    }

    fn take_or_replace(&mut self) -> Action {
        let how = if self.chance.one_in(3) { Tampering::Replace } else { Tampering::Delete };
        Action::Tamper { place: self.chance.below(NEVER), how }
    }

    fn tamper(&mut self) -> Action {
        use Tampering::{Break, Delete, Garble, Mend, Replace, Rotate};
        let hows = [Break, Garble, Delete, Replace, Mend, Mend, Rotate, Rotate];
        Action::Tamper { place: self.chance.below(NEVER), how: hows[self.chance.below(hows.len())] }
    }
}
