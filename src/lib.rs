//! photo-removal-operator
pub mod api;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod graph;
pub mod health;
pub mod identity;
pub mod lifecycle;
pub mod metrics;
pub mod operator;
pub mod pacing;
pub mod serve;
pub mod telemetry;
mod wire;
