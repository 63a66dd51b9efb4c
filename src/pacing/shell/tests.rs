//! The shell in paused time: who is woken when, and which governors are dropped.

use tokio::time::{Instant, sleep_until};

use super::*;
use crate::pacing::after;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };

/// How much later than it was due somebody may be woken: times are rounded to milliseconds, and so are timers.
const PRECISION: Duration = Duration::from_millis(2);

/// A shell whose clock goes with the paused time of its timers, and who was woken when.
struct Shell {
    pacing: Pacing<u32>,
    began: Instant,
    woken: Arc<Mutex<Vec<(u32, Duration)>>>,
}

impl Shell {
    /// With so many slots an account.
    fn new(most: usize) -> Self {
        let began = Instant::now();
        let woken: Arc<Mutex<Vec<_>>> = Arc::default();
        let wakes = Arc::clone(&woken);
        let wake = move |waiter| wakes.lock().expect("no test panicked").push((waiter, began.elapsed()));
        let milliseconds = move || i64::try_from(began.elapsed().as_millis()).expect("a time that a test reaches");
        let now = move || Timestamp::from_millisecond(milliseconds()).expect("a time");
        Self { pacing: Pacing::with_clock(most, BACKOFF, wake, now), began, woken }
    }

    /// Lets the paused time go on until so long after the beginning; whoever is due meanwhile is woken.
    async fn until(&self, time: Duration) {
        sleep_until(self.began + time).await;
    }

    /// Who was woken since this was asked last, and when.
    fn woken(&self) -> Vec<(u32, Duration)> {
        std::mem::take(&mut *self.woken.lock().expect("no test panicked"))
    }

    /// Comes for a slot that is free.
    fn granted(&self, account: &Account, waiter: u32) -> Result<Permit<u32>, String> {
        self.pacing.enter(account, "lane", &waiter).ok_or_else(|| format!("{waiter} got no slot"))
    }

    /// Comes for a slot that is not there.
    fn queued(&self, account: &Account, waiter: u32) -> Outcome {
        match self.pacing.enter(account, "lane", &waiter) {
            None => Ok(()),
            Some(_) => Err(format!("{waiter} got a slot").into()),
        }
    }

    /// Sends, and is throttled for so long.
    fn throttled(&self, account: &Account, waiter: u32, pause: Duration) -> Outcome {
        let permit = self.granted(account, waiter)?;
        assert!(permit.may_send());
        assert_eq!(permit.throttled(Some(pause)), after(self.pacing.now(), pause));
        assert!(!permit.may_send(), "the pause has begun");
        Ok(())
    }

    /// Thirty answers in thirty seconds, then a throttled one with a pause of ten: from now on one starts every two seconds.
    async fn learns_a_rate(&self, account: &Account) -> Outcome {
        for waiter in 0..30 {
            let permit = self.granted(account, waiter)?;
            assert!(permit.may_send());
            self.until(secs(u64::from(waiter) + 1)).await;
            permit.answered(secs(1), false);
        }
        self.throttled(account, 30, secs(10))
    }

    /// Somebody of another account comes and goes: then idle governors are looked through.
    fn somebody_else_comes(&self) -> Outcome {
        drop(self.granted(&account("somebody else"), u32::MAX)?);
        Ok(())
    }

    fn has(&self, account: &Account) -> bool {
        self.pacing.lock().contains_key(account)
    }

    fn has_timer(&self, account: &Account) -> bool {
        self.pacing.lock().get(account).is_some_and(|on| on.timer)
    }

    fn rate(&self, account: &Account) -> Option<f64> {
        let now = self.pacing.now();
        self.pacing.lock().get(account).and_then(|on| on.governor.rate(now))
    }
}

fn account(name: &str) -> Account {
    Account(name.into())
}

fn is_about(time: Duration, due: Duration) -> bool {
    (due..=due + PRECISION).contains(&time)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_woken_once_at_the_pauses_end_and_not_before() -> Outcome {
    let (shell, a) = (Shell::new(4), account("a"));
    shell.throttled(&a, 1, secs(300))?;
    shell.queued(&a, 2)?;
    shell.until(Duration::from_millis(299_999)).await;
    assert_eq!(shell.woken(), [], "nobody is woken before the end");
    shell.queued(&a, 2)?;
    shell.until(secs(900)).await;
    let woken = shell.woken();
    assert!(matches!(woken[..], [(2, time)] if is_about(time, secs(300))), "woken: {woken:?}");
    assert!(shell.granted(&a, 2)?.may_send());
    assert!(!shell.has_timer(&a), "nobody waits for a time any more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_made_longer_while_somebody_sleeps_until_its_end_is_slept_out() -> Outcome {
    let (shell, a) = (Shell::new(4), account("a"));
    shell.throttled(&a, 1, secs(10))?;
    shell.queued(&a, 2)?;
    shell.until(secs(9)).await;
    shell.pacing.pause(&a, after(shell.pacing.now(), secs(51)));
    shell.pacing.pause(&a, after(shell.pacing.now(), secs(2)));
    shell.until(secs(900)).await;
    let woken = shell.woken();
    assert!(matches!(woken[..], [(2, time)] if is_about(time, secs(60))), "woken: {woken:?}");
    Ok(())
}

/// Whoever held a slot when the pause began gives it back in the middle of it, and whoever was called before it began
/// comes too late: both turns come at its end.
#[tokio::test(start_paused = true)]
async fn a_slot_that_is_given_back_in_a_pause_is_given_away_at_its_end() -> Outcome {
    let (shell, a) = (Shell::new(2), account("a"));
    let (first, second) = (shell.granted(&a, 1)?, shell.granted(&a, 2)?);
    for waiter in [3, 4] {
        shell.queued(&a, waiter)?;
    }
    assert!(first.may_send() && second.may_send());
    drop(first);
    assert_eq!(shell.woken(), [(3, Duration::ZERO)], "a slot is free");
    shell.pacing.pause(&a, after(shell.pacing.now(), secs(10)));
    shell.queued(&a, 3)?;
    shell.until(secs(5)).await;
    drop(second);
    assert_eq!(shell.woken(), [], "the pause is in force");
    shell.until(secs(60)).await;
    let mut woken = shell.woken();
    woken.sort_unstable();
    let due = |(waiter, time): &(u32, Duration)| is_about(*time, secs(10)).then_some(*waiter);
    assert_eq!(woken.iter().filter_map(due).collect::<Vec<_>>(), [3, 4], "woken: {woken:?}");
    Ok(())
}

/// One starts every two seconds, and those who wait are woken one after the other although slots are free all the time.
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_woken_at_the_learned_pace() -> Outcome {
    let (shell, a) = (Shell::new(16), account("a"));
    // Without anybody all that a governor saw goes with it.
    let _somebody = shell.granted(&a, 99)?;
    shell.learns_a_rate(&a).await?;
    let rate = shell.rate(&a).ok_or("no rate was learned")?;
    for waiter in 40..46 {
        shell.queued(&a, waiter)?;
    }
    let mut woken = Vec::new();
    while woken.len() < 6 && shell.began.elapsed() < secs(60) {
        shell.until(shell.began.elapsed() + Duration::from_millis(1)).await;
        for (waiter, time) in shell.woken() {
            assert!(shell.granted(&a, waiter)?.may_send());
            woken.push((waiter, time));
        }
    }
    assert_eq!(woken.len(), 6, "woken within a minute: {woken:?}");
    let interval = Duration::from_secs_f64(1.0 / rate);
    let due = |(waiter, place): (u32, u32)| (waiter, secs(40) + interval * place);
    for ((waiter, time), (expected, due)) in woken.iter().zip((40..46).zip(0..6).map(due)) {
        let is_due = *waiter == expected && is_about(*time, due);
        assert!(is_due, "expected {expected} at {due:?}, woken: {woken:?} at {rate:.3} a second");
    }
    Ok(())
}

/// A credential is trusted for a while only. Where that is less than from one start to the next, everybody whose turn has
/// come has it looked after first, and sends when that is done, not at the next start but one.
#[tokio::test(start_paused = true)]
async fn who_steps_aside_or_sends_nothing_uses_up_no_start() -> Outcome {
    let (shell, a) = (Shell::new(16), account("a"));
    let _somebody = shell.granted(&a, 99)?;
    shell.learns_a_rate(&a).await?;
    shell.queued(&a, 40)?;
    shell.queued(&a, 41)?;
    shell.until(secs(40) + PRECISION).await;
    assert!(matches!(shell.woken()[..], [(40, _)]), "40 is called when the pause is over, and nobody else");
    shell.pacing.step_aside(&40);
    assert!(matches!(shell.woken()[..], [(41, _)]), "41 is called instead");
    drop(shell.granted(&a, 41)?);
    let permit = shell.granted(&a, 40)?;
    assert!(permit.may_send(), "41 sent nothing, so 40 may go now that it is back");
    shell.queued(&a, 42)?;
    shell.until(secs(41)).await;
    assert_eq!(shell.woken(), [], "a start was used");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_governor_that_has_nothing_to_remember_goes_with_its_last_slot() -> Outcome {
    let (shell, a) = (Shell::new(1), account("a"));
    let permit = shell.granted(&a, 1)?;
    shell.queued(&a, 2)?;
    permit.answered(secs(1), false);
    drop(permit);
    assert!(shell.has(&a), "somebody was called");
    let permit = shell.granted(&a, 2)?;
    shell.queued(&a, 3)?;
    shell.pacing.forget(&3);
    shell.somebody_else_comes()?;
    assert!(shell.has(&a), "somebody holds a slot");
    drop(permit);
    assert!(!shell.has(&a), "nobody is left");
    assert_eq!(shell.pacing.waiting(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_governor_under_a_pause_is_not_dropped_and_one_whose_pause_is_over_is() -> Outcome {
    let (shell, a) = (Shell::new(4), account("a"));
    shell.pacing.pause(&a, after(shell.pacing.now(), secs(3600)));
    shell.until(secs(3599)).await;
    shell.somebody_else_comes()?;
    shell.queued(&a, 1)?;
    shell.pacing.forget(&1);
    assert!(shell.has(&a), "the pause is in force");
    shell.until(secs(3601)).await;
    shell.somebody_else_comes()?;
    assert!(!shell.has(&a), "nobody waits, and nothing was learned");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_is_kept_for_fifteen_minutes_after_the_pause() -> Outcome {
    let (shell, a) = (Shell::new(4), account("a"));
    shell.throttled(&a, 1, secs(600))?;
    for time in [599, 601, 600 + 15 * 60] {
        shell.until(secs(time)).await;
        shell.somebody_else_comes()?;
        assert!(shell.has(&a), "after {time} s");
    }
    shell.until(secs(600 + 15 * 60 + 1)).await;
    shell.somebody_else_comes()?;
    assert!(!shell.has(&a), "after more than fifteen minutes");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_very_many_that_learned_something_the_latest_are_kept_and_any_that_is_in_use() -> Outcome {
    let shell = Shell::new(4);
    let accounts: Vec<_> = (0..KEPT + 50).map(|number| account(&number.to_string())).collect();
    let in_use = shell.granted(&accounts[0], 0)?;
    shell.pacing.pause(&accounts[1], after(shell.pacing.now(), secs(3600)));
    for account in &accounts[2..] {
        shell.throttled(account, 0, Duration::from_millis(10))?;
        shell.until(shell.began.elapsed() + Duration::from_millis(20)).await;
    }
    shell.somebody_else_comes()?;
    let kept: Vec<_> = accounts.iter().map(|account| shell.has(account)).collect();
    let latest = accounts.len() - (KEPT - 1);
    assert!(kept[0] && kept[1], "one in use, and one under a pause");
    assert!(kept[latest..].iter().all(|kept| *kept), "the latest ones");
    assert!(!kept[2..latest].iter().any(|kept| *kept), "the ones before them");
    drop(in_use);
    Ok(())
}

/// With another credential a waiter leaves the queue of the old one, and whoever stands behind it there is woken.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_comes_with_another_credential_leaves_its_old_queue() -> Outcome {
    let (shell, a, b) = (Shell::new(1), account("a"), account("b"));
    let holder = shell.granted(&a, 1)?;
    for waiter in [2, 3] {
        shell.queued(&a, waiter)?;
    }
    drop(holder);
    assert_eq!(shell.woken(), [(2, Duration::ZERO)]);
    let elsewhere = shell.granted(&b, 2)?;
    assert_eq!(shell.woken(), [(3, Duration::ZERO)], "the turn that it left");
    assert_eq!(shell.pacing.waiting(), 0);
    drop((elsewhere, shell.granted(&a, 3)?));
    assert!(!shell.has(&a) && !shell.has(&b));
    Ok(())
}
