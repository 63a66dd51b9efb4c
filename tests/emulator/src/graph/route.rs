//! Graph's paths: which of the few that the emulator plays a request asks for.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::directory::Target;
use crate::faults::Operation;

use super::Refused;

/// Whose photo, or whose entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A user or group that the path names.
    Named(Target),
    /// The signed-in user.
    Me,
}

/// A request that Graph understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) owner: Owner,
}

/// What stands behind the owner in the path.
enum Resource {
    Value,
    Photo,
    Entry,
}

/// Reads method, path and query; the error is the answer that Graph would give.
pub(crate) fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Route, Refused> {
    let segments = segments(path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (version, rest) = segments.split_first().ok_or_else(|| unknown_segment(""))?;
    if *version != "v1.0" {
        return Err(Refused::new(400, "BadRequest", format!("Invalid version: {version}")));
    }
    // Graph does not mind an empty segment here: its own SDK for Python sends one with every request.
    let rest = rest.strip_prefix(&[""]).unwrap_or(rest);
    let (owner, rest) = owner(rest)?;
    let resource = match rest {
        ["photo", "$value"] => Resource::Value,
        ["photo"] => Resource::Photo,
        [] => Resource::Entry,
        [first, ..] => return Err(unknown_segment(first)),
    };
    let operation = match (method, resource) {
        (&Method::DELETE, Resource::Value) => Operation::Delete,
        (&Method::GET, Resource::Value) => Operation::GetPhoto,
        (&Method::GET, Resource::Entry) => confirm(query)?,
        _ => return Err(method_not_allowed()),
    };
    Ok(Route { operation, owner })
}

/// The segments, each decoded exactly once: an encoded slash stays inside its segment.
fn segments(path: &str) -> Result<Vec<String>, Refused> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

fn decode(segment: &str) -> Result<String, Refused> {
    let malformed = || Refused::new(400, "BadRequest", "The request URI is not valid.");
    let stray = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if segment.split('%').skip(1).any(stray) {
        return Err(malformed());
    }
    let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| malformed())?;
    Ok(decoded.into_owned())
}

fn owner<'a>(segments: &'a [&'a str]) -> Result<(Owner, &'a [&'a str]), Refused> {
    match segments {
        ["me", rest @ ..] => Ok((Owner::Me, rest)),
        ["users", name, ..] if name.starts_with('$') => Err(collection_refused()),
        ["users", name, rest @ ..] if !name.is_empty() => Ok((Owner::Named(Target::user(*name)), rest)),
        ["groups", id, rest @ ..] if is_guid(id) => Ok((Owner::Named(Target::group(*id)), rest)),
        ["groups", id, ..] if !id.is_empty() => {
            let message = format!("Invalid object identifier '{id}'.");
            Err(Refused::new(400, "Request_BadRequest", message))
        }
        [first, rest @ ..] => match quoted(first) {
            Some(name) => Ok((Owner::Named(Target::User(name)), rest)),
            None => Err(unknown_segment(first)),
        },
        [] => Err(unknown_segment("")),
    }
}

/// The key inside `users('...')`: quotes inside are doubled, as in every `OData` literal.
fn quoted(segment: &str) -> Option<String> {
    let inside = segment.strip_prefix("users('")?.strip_suffix("')")?;
    let halves = inside.replace("''", "");
    (!inside.is_empty() && !halves.contains('\'')).then(|| inside.replace("''", "'"))
}

/// Only `?$select=id` is played: the operator asks for nothing else, and more would be more than it needs.
fn confirm(query: Option<&str>) -> Result<Operation, Refused> {
    let pairs: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    match pairs.as_slice() {
        [(name, value)] if name == "$select" && value == "id" => Ok(Operation::Confirm),
        _ => Err(Refused::new(400, "BadRequest", "The emulator answers ?$select=id only.")),
    }
}

fn is_guid(id: &str) -> bool {
    id.len() == 36 && uuid::Uuid::try_parse(id).is_ok()
}

fn unknown_segment(segment: &str) -> Refused {
    Refused::new(400, "BadRequest", format!("Resource not found for the segment '{segment}'."))
}

/// What Graph says to `/users/$x@contoso.com`, whose owner must go as `/users('$x@contoso.com')`.
fn collection_refused() -> Refused {
    let message = "The request URI is not valid. Since the segment 'users' refers to a collection, this must be the last \
                   segment in the request URI or it must be followed by an function or action that can be bound to it \
                   otherwise all intermediate segments must refer to a single resource.";
    Refused::new(400, "BadRequest", message)
}

fn method_not_allowed() -> Refused {
    let message = "Specified HTTP method is not allowed for the request target.";
    Refused::new(405, "Request_BadRequest", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner_of(path: &str) -> Result<Target, u16> {
        match route(&Method::DELETE, path, None) {
            Ok(Route { owner: Owner::Named(target), .. }) => Ok(target),
            Ok(_) => Ok(Target::user("me")),
            Err(error) => Err(error.status),
        }
    }

    #[test]
    fn every_path_is_read_as_graph_reads_it() {
        let group = "9c1d0f6e-1111-4222-8333-444455556666";
        let group_path = format!("/v1.0/groups/{group}/photo/$value");
        let table: [(&str, Result<Target, u16>); 22] = [
            ("/v1.0/users/jane@contoso.com/photo/$value", Ok(Target::user("jane@contoso.com"))),
            ("/v1.0//users/jane@contoso.com/photo/$value", Ok(Target::user("jane@contoso.com"))),
            ("/v1.0/users/jane%40contoso.com/photo/%24value", Ok(Target::user("jane@contoso.com"))),
            ("/v1.0/users/a%23EXT%23@b.com/photo/$value", Ok(Target::user("a#EXT#@b.com"))),
            ("/v1.0/users/a%2523EXT%2523@b.com/photo/$value", Ok(Target::user("a%23EXT%23@b.com"))),
            ("/v1.0/users/a%2Fb@c.com/photo/$value", Ok(Target::user("a/b@c.com"))),
            ("/v1.0/users('$x@c.com')/photo/$value", Ok(Target::user("$x@c.com"))),
            ("/v1.0/users('$o''x@c.com')/photo/$value", Ok(Target::user("$o'x@c.com"))),
            ("/v1.0/me/photo/$value", Ok(Target::user("me"))),
            (&group_path, Ok(Target::group(group))),
            ("/v1.0/users('$o'x@c.com')/photo/$value", Err(400)),
            ("/v1.0/users('')/photo/$value", Err(400)),
            ("/v1.0/users/$x@c.com/photo/$value", Err(400)),
            ("/v1.0/users/%24x@c.com/photo/$value", Err(400)),
            ("/v1.0/users/%zz/photo/$value", Err(400)),
            ("/v1.0/users//photo/$value", Err(400)),
            ("/v1.0///users/jane@contoso.com/photo/$value", Err(400)),
            ("/v1.0/groups/sales/photo/$value", Err(400)),
            ("/v2.0/users/jane@contoso.com/photo/$value", Err(400)),
            ("/v1.0/users/jane@contoso.com/photos/$value", Err(400)),
            ("/v1.0/users/jane@contoso.com/photo", Err(405)),
            ("/v1.0/users/jane@contoso.com", Err(405)),
        ];
        for (path, expected) in table {
            assert_eq!(owner_of(path), expected, "{path}");
        }
    }

    #[test]
    fn a_confirmation_asks_for_the_id_and_nothing_else() {
        let asked = |query| route(&Method::GET, "/v1.0/users/a@b.com", query).map_err(|error| error.status);
        for query in ["$select=id", "%24select=id"] {
            assert_eq!(asked(Some(query)).map(|route| route.operation), Ok(Operation::Confirm), "{query}");
        }
        for query in [None, Some("$select=id,mail"), Some("$select=id&$expand=manager"), Some("select=id")] {
            assert_eq!(asked(query).map(|route| route.operation), Err(400), "{query:?}");
        }
    }
}
