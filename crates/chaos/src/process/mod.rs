//! A process of the operator, connected to a world. It runs carpack's own controllers, spender, lease and inventories.

pub mod api_server;
pub mod cloud;
pub mod connection;
pub mod paid;
pub mod rows;
pub mod start;
pub mod watches;
pub mod work_queue;
