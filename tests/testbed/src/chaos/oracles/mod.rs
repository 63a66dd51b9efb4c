//! What must hold whatever happened. Each oracle returns whole sentences about what does not.
//!
//! | file | what must hold |
//! |---|---|
//! | `ends.rs` | every object ends as its scenario says |
//! | `justified.rs` | every DELETE follows a live read that found an object which wanted it, and none follows its outcome |
//! | `single.rs` | never two DELETEs for one target are under way at a time |
//! | `terms.rs` | who lost the lead in its sleep sends nothing when it wakes |
//! | `patience.rs` | no request of an application comes before a `Retry-After` has passed |
//! | `budget.rs` | attempts are counted as they were made; calls are few |
//! | `thrift.rs` | each object costs the API server no more than what happened to it is worth |
//! | `memory.rs` | a process that lives through many rounds does not grow |
//! | `discretion.rs` | no secret, token or name gets out; nothing is forbidden; nothing panics |

pub(super) mod budget;
pub(super) mod discretion;
pub(super) mod ends;
pub(super) mod justified;
pub(super) mod memory;
pub(super) mod patience;
pub(super) mod single;
pub(super) mod terms;
pub(super) mod thrift;
