//! Voxel counts of masks and label maps, and what follows from them.
