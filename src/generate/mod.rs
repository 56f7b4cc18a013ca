//! The files of the repository that are generated from the types of the API.

mod api_page;
pub mod crds;
pub mod docs;
mod reasons;
