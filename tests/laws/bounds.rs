//! What stays small whatever comes.

use std::time::Duration;

use http::Method;
use photo_removal_operator::metrics::Metrics;
use photo_removal_operator::pacing::Turns;

#[test]
fn a_waiter_stands_in_the_queue_once() {
    let mut turns = Turns::default();
    for _ in 0..1_000 {
        turns.join("a", 1);
        turns.join_first("a", 1);
        turns.join("b", 2);
    }
    assert_eq!(turns.len(), 2);
    assert_eq!([turns.call(), turns.call(), turns.call()], [Some(1), Some(2), None]);
}

#[test]
fn no_word_from_outside_becomes_a_label() {
    let metrics = Metrics::new();
    // HTTP has these codes and no others.
    for code in 100..1_000 {
        for word in ["GET", "PROPFIND", "leaver@contoso.com"] {
            let method = Method::from_bytes(word.replace('@', "-").as_bytes()).unwrap();
            metrics.kubernetes_request(&method, Some(code));
        }
        metrics.graph_request("delete_photo", Some(code), Duration::ZERO);
    }
    let page = metrics.encode().unwrap();
    let series = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((series("rest_client_requests_total"), series("photoremoval_graph_requests_total")), (2 * 900, 900));
    assert!(!page.contains("contoso") && !page.contains("PROPFIND"));
}
