//! lesion-phantom
