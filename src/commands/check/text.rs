//! What a check found, in words.

use jiff::Timestamp;

use super::permissions::{Verdict, Verdicts};
use super::report::{Applicant, Finding, Problem, Report, SignedIn, Trust};

/// The whole report, paragraph by paragraph.
pub(super) fn of(report: &Report) -> String {
    let mut paragraphs = Vec::new();
    paragraphs.extend(report.applicant.as_ref().map(|applicant| who(report, applicant)));
    if let Some(signed_in) = &report.signed_in {
        paragraphs.push(table(signed_in));
        paragraphs.extend(optional(&signed_in.verdicts));
        paragraphs.extend(ways_to_grant(&signed_in.verdicts));
    }
    let conclusion = conclusion(report);
    paragraphs.push(format!("{conclusion}\nNothing was sent to Microsoft Graph."));
    paragraphs.join("\n\n") + "\n"
}

/// Who signs in or would, a fact a line.
fn who(report: &Report, applicant: &Applicant) -> String {
    let signed_in = report.signed_in.as_ref();
    let headline = match signed_in {
        Some(SignedIn { delegated: true, .. }) => "Signed in as a user of the application.",
        Some(_) => "Signed in as the application.",
        None => "Not signed in.",
    };
    let client = &applicant.client;
    let application = match signed_in.and_then(|signed_in| signed_in.application.as_deref()) {
        Some(name) => format!("{name} ({client})"),
        None => client.clone(),
    };
    let mut facts = vec![
        ("application", application),
        ("tenant", report.tenant().unwrap_or_default().to_owned()),
        ("cloud", format!("{:?}", report.cloud)),
        ("method", applicant.method.to_owned()),
    ];
    facts.extend(applicant.certificate_expires.map(|end| ("certificate", expiry(end, report.checked))));
    if let Some(Trust { issuer, subject, audience }) = &report.trust {
        facts.push(("issuer", issuer.clone().unwrap_or_else(|| "not known".to_owned())));
        facts.extend([("subject", subject.clone()), ("audience", (*audience).to_owned())]);
    }
    facts.extend(signed_in.map(|signed_in| ("token", format!("valid for {}", span(signed_in.expires_in)))));
    let facts = facts.into_iter().map(|(what, value)| format!("\n  {what:<11}  {value}"));
    std::iter::once(headline.to_owned()).chain(facts).collect()
}

fn expiry(end: Timestamp, now: Timestamp) -> String {
    let days = end.duration_since(now).as_hours() / 24;
    let date = end.strftime("%F");
    if end <= now { format!("expired on {date}") } else { format!("expires on {date} (in {days} days)") }
}

/// A number of seconds, in words.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds / 60),
    }
}

/// A line for each kind of target.
fn table(signed_in: &SignedIn) -> String {
    let held = match signed_in.permissions.as_deref() {
        None => "it does not say".to_owned(),
        Some([]) => "no permission".to_owned(),
        Some(names) => names.join(", "),
    };
    let mut lines = vec![
        format!("The token's permissions: {held}"),
        "Photos that it may remove, as a hint (Microsoft Graph has the last word):".to_owned(),
    ];
    for (kind, verdict) in signed_in.verdicts.each() {
        let answer = match verdict.allowed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        lines.push(format!("  {kind:<6}  {answer:<3}  {}", remark(verdict)).trim_end().to_owned());
    }
    lines.join("\n")
}

fn remark(verdict: &Verdict) -> String {
    match verdict.missing.as_slice() {
        [] => verdict.note.unwrap_or_default().to_owned(),
        names => format!("missing: {}", names.join(" or ")),
    }
}

fn optional(verdicts: &Verdicts) -> Option<String> {
    let names: Vec<&str> =
        verdicts.each().into_iter().flat_map(|(_, verdict)| verdict.optional.iter().copied()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Optional: with {} the operator can tell an absent photo from a target that does not exist.",
            listed(&names)
        )
    })
}

/// Each way to grant something once, however many kinds of target it serves.
fn ways_to_grant(verdicts: &Verdicts) -> Vec<String> {
    let mut ways: Vec<(Vec<&str>, &str)> = Vec::new();
    for (kind, verdict) in verdicts.each() {
        let Some(grant) = verdict.grant.as_deref() else { continue };
        match ways.iter_mut().find(|(_, known)| *known == grant) {
            Some((kinds, _)) => kinds.push(kind),
            None => ways.push((vec![kind], grant)),
        }
    }
    let told = |(kinds, grant): (Vec<&str>, &str)| {
        format!("To grant what is missing for {}:\n  {}", listed(&kinds), grant.replace('\n', "\n  "))
    };
    ways.into_iter().map(told).collect()
}

fn conclusion(report: &Report) -> String {
    match (&report.problem, &report.signed_in) {
        (Some(Problem { finding: Finding::Unknown, message, .. }), _) => format!("Not known: {message}"),
        (Some(Problem { message, .. }), _) => format!("It will not work: {message}"),
        (None, Some(signed_in)) => format!("It works for {}.", listed(&signed_in.verdicts.served())),
        (None, None) => String::new(),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., end] => format!("{} and {end}", first.join(", ")),
    }
}
