//! Laws of what Graph's answers mean, and of how long they ask to wait.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use photo_removal_operator::graph::retry_after::{self, LONGEST};
use photo_removal_operator::graph::{Answer, Existence, Reading, judge, judge_existence};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::given::a_time;

const OF_THE_TARGET: [&str; 4] =
    ["Request_ResourceNotFound", "ResourceNotFound", "ErrorInvalidUser", "ErrorUserResolutionFailedUserDoesNotExist"];

const OF_THE_PHOTO: [&str; 5] =
    ["ImageNotFound", "ErrorItemNotFound", "ErrorEntityNotFound", "GetUserPhoto", "itemNotFound"];

/// A code that means something somewhere, or nothing anywhere.
fn a_code() -> impl Strategy<Value = String> {
    let elsewhere = ["AuthenticationError", "extensionError", "ConsumerPhotoIsNotSupported", "ErrorAccessDenied", ""];
    let known = [&OF_THE_TARGET[..], &OF_THE_PHOTO, &elsewhere].concat();
    prop_oneof![3 => prop::sample::select(known).prop_map(str::to_owned), 1 => "\\PC{0,20}"]
}

/// Errors inside each other, the first code outermost.
fn an_error(codes: &[String], message: &str) -> Value {
    codes.iter().rev().fold(Value::Null, |inner, code| {
        let mut error = json!({"code": code, "message": message});
        if !inner.is_null() {
            error["innerError"] = inner;
        }
        error
    })
}

fn a_body() -> impl Strategy<Value = Vec<u8>> {
    let error = (vec(a_code(), 0..4), "\\PC{0,30}|Service unavailable|.*ImageNotFoundException.*")
        .prop_map(|(codes, message)| json!({"error": an_error(&codes, &message)}).to_string().into_bytes());
    let entity = option::of("[a-z0-9]{0,4}").prop_map(|id| json!({"id": id}).to_string().into_bytes());
    prop_oneof![4 => error, 1 => entity, 1 => vec(any::<u8>(), 0..60), 1 => Just(b"<html>404</html>".to_vec())]
}

fn a_status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 100_u16..600, 3 => Just(404), 2 => prop::sample::select(vec![400_u16, 401, 403, 429, 503]), 1 => any::<u16>()]
}

fn headers(wait: Option<&str>) -> HeaderMap {
    let value = wait.and_then(|wait| http::HeaderValue::from_str(wait).ok());
    value.into_iter().map(|value| (http::header::RETRY_AFTER, value)).collect()
}

prop_compose! {
    fn an_answer()(
        status in a_status(), wait in option::of("[0-9]{1,6}|[ -~]{0,12}"), body in a_body(), now in a_time(),
    ) -> Answer {
        Answer::read(status, &headers(wait.as_deref()), &body, now)
    }
}

fn a_404(body: &Value) -> Answer {
    Answer::read(404, &HeaderMap::new(), body.to_string().as_bytes(), Timestamp::UNIX_EPOCH)
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    #[test]
    fn every_answer_means_something_and_only_a_2xx_means_removed(answer in an_answer()) {
        let removed = judge(&answer) == Reading::Removed;
        prop_assert_eq!(removed, (200..=299).contains(&answer.http_status), "{:?}", answer);
    }

    #[test]
    fn only_a_404_can_mean_that_there_was_nothing_to_remove(answer in an_answer()) {
        if matches!(judge(&answer), Reading::NoPhoto | Reading::Unclear | Reading::TargetNotFound) {
            prop_assert_eq!(answer.http_status, 404);
        }
    }

    #[test]
    fn the_services_own_trouble_never_ends_a_removal(answer in an_answer()) {
        if answer.http_status >= 500 || answer.http_status == 408 || answer.http_status < 200 {
            let reading = judge(&answer);
            prop_assert!(matches!(reading, Reading::Unavailable | Reading::Throttled), "{:?} of {:?}", reading, answer);
        }
    }

    #[test]
    fn the_innermost_word_of_the_target_is_never_taken_for_an_absent_photo(
        outer in vec(a_code(), 0..3), code in prop::sample::select(&OF_THE_TARGET[..]), shout in any::<bool>(),
        message in "\\PC{0,20}|ImageNotFoundException",
    ) {
        let code = if shout { code.to_uppercase() } else { code.to_owned() };
        let codes = [outer, vec![code]].concat();
        prop_assert_eq!(judge(&a_404(&json!({"error": an_error(&codes, &message)}))), Reading::TargetNotFound);
    }

    #[test]
    fn a_message_that_is_json_speaks_of_the_target_too(code in prop::sample::select(&OF_THE_TARGET[..])) {
        let message = json!({"errorCode": code, "message": "x"}).to_string();
        let answer = a_404(&json!({"error": {"code": "ErrorInternal", "message": message}}));
        prop_assert_eq!(judge(&answer), Reading::TargetNotFound);
    }

    /// An absent photo is a success only if this says that its owner exists, so nothing vague may say so.
    #[test]
    fn a_target_is_there_only_if_its_id_is_shown_and_missing_only_if_a_code_says_so(answer in an_answer()) {
        match judge_existence(&answer) {
            Existence::Exists => prop_assert!((200..=299).contains(&answer.http_status)),
            Existence::Missing => {
                let named = |code: &String| OF_THE_TARGET.iter().any(|name| name.eq_ignore_ascii_case(code));
                prop_assert!(answer.http_status == 404 && answer.codes.iter().any(named), "{:?}", answer);
            }
            _ => {}
        }
        let vague = Answer::read(200, &HeaderMap::new(), b"<html>Welcome</html>", Timestamp::UNIX_EPOCH);
        prop_assert_eq!(judge_existence(&vague), Existence::Unavailable);
    }

    #[test]
    fn nothing_of_an_answer_is_kept_that_could_be_a_sentence_or_an_address(answer in an_answer()) {
        let plain = |text: &String| {
            (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        };
        prop_assert!(answer.codes.iter().chain(&answer.request_id).all(plain), "{:?}", answer);
        prop_assert!(answer.retry_after.is_none_or(|wait| wait <= LONGEST));
    }

    #[test]
    fn whatever_stands_in_retry_after_it_is_read_without_a_panic_and_asks_for_a_day_at_most(
        text in "\\PC{0,40}|[0-9.eE+-]{0,40}|(Mon|Sun), [0-9]{2} (Jan|Feb) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        now in prop_oneof![a_time(), Just(Timestamp::MIN), Just(Timestamp::MAX)],
    ) {
        prop_assert!(retry_after::parse(&text, now).is_none_or(|wait| wait <= LONGEST), "{:?}", text);
    }

    #[test]
    fn whole_seconds_are_taken_exactly(seconds in prop_oneof![0_u64..100_000, any::<u64>()], now in a_time()) {
        let expected = Duration::from_secs(seconds).min(LONGEST);
        prop_assert_eq!(retry_after::parse(&format!(" {seconds}\t"), now), Some(expected));
    }

    #[test]
    fn fractions_of_a_second_are_taken_to_the_microsecond(micros in 0_u64..86_400_000_000, now in a_time()) {
        let asked = Duration::from_micros(micros);
        let text = format!("{}.{:06}", asked.as_secs(), asked.subsec_micros());
        let taken = retry_after::parse(&text, now).unwrap();
        prop_assert!(taken.abs_diff(asked) < Duration::from_micros(1), "{taken:?} for {text}");
    }

    #[test]
    fn a_date_is_waited_for_and_one_that_has_passed_is_no_wait(now in a_time(), ahead in -200_000_i64..200_000) {
        let date = Timestamp::from_second(now.as_second() + ahead).unwrap();
        let taken = retry_after::parse(&httpdate::fmt_http_date(SystemTime::from(date)), now).unwrap();
        let expected = date.duration_since(now).clamp(SignedDuration::ZERO, SignedDuration::from_hours(24));
        prop_assert_eq!(SignedDuration::try_from(taken).unwrap(), expected);
    }
}
