//! What to do about a refusal, for whoever sits at the terminal: the advice of [`refusal`] speaks to readers of a
//! status, and of keys in a Secret that does not exist yet.

use crate::identity::judge::{Refusal, oauth_error};
use crate::identity::refusal;

/// What happened and what to do, with the number or word that Entra gave.
pub(super) fn sentence(refusal: &Refusal) -> String {
    let known = refusal.error_codes.iter().find_map(|code| {
        let advice = advice(*code).or_else(|| refusal::advice(*code))?;
        Some(format!("{advice} (AADSTS{code})"))
    });
    known.unwrap_or_else(|| match refusal.error_codes.first() {
        Some(code) => format!(
            "Microsoft Entra refuses the sign-in (AADSTS{code}). Look the number up at \
             https://login.microsoftonline.com/error?code={code}."
        ),
        None => format!(
            "Microsoft Entra refuses the sign-in ({}). Check --tenant-id, --client-id and the application's registration.",
            oauth_error(&refusal.error)
        ),
    })
}

/// Where the answer differs from what a status would say.
const fn advice(code: u64) -> Option<&'static str> {
    Some(match code {
        7_000_218 => {
            "The application does not allow the sign-in with a code. Switch on \"Allow public client flows\" under \
             Authentication in its registration."
        }
        700_016 => {
            "There is no application with this client id in the tenant. Check --client-id, --tenant-id and --cloud, or \
             have the tenant's administrator consent to the application."
        }
        90002 | 50059 | 900_021 | 900_023 => {
            "Microsoft Entra knows no such tenant in this cloud. Check --tenant-id and --cloud."
        }
        90038 | 900_382 | 900_432 => "The tenant or the application belongs to another national cloud. Check --cloud.",
        70011 | 500_011 => {
            "Microsoft Entra does not know the permission in this cloud. Check --cloud, and --for if the tenant is \
             consumers."
        }
        65001 | 90094 => {
            "Nobody consented to the permission. Have the tenant's administrator grant the application consent to it, \
             or sign in as one."
        }
        53003 | 530_032 => {
            "A conditional access policy of the tenant blocks the sign-in with a code. Have its administrator exempt \
             the user or the application."
        }
        50020 => "The user who signed in does not belong to the tenant. Sign in as another, or check --tenant-id.",
        50034 | 50057 => "The user who signed in is gone or disabled. Sign in as another.",
        50076 | 50079 => "Microsoft Entra wants more proof of who signs in. Run the command again and give it.",
        9_002_331 => "The application is for personal accounts only. Use --tenant-id consumers.",
        9_002_332 => {
            "The application is not for personal accounts. Allow them under Authentication in its registration, or \
             name the tenant of an organization."
        }
        54005 => {
            "The code was used, but the answer to it was lost on its way. Run the command again and sign in once more."
        }
        _ => return None,
    })
}
