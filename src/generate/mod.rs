//! The files of the repository that are generated from the types of the API.

pub mod api_page;
pub mod crds;
