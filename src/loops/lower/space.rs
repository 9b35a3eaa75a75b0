//! The iteration space of a kernel in the making.

use super::super::affine::Affine;
use super::super::dims::Role;

/// Dims, and the axes of a tensor or the labels of a product in terms of them.
#[derive(Clone, Debug)]
pub struct Space {
    pub sizes: Vec<usize>,
    pub roles: Vec<Role>,
    /// The coordinate along each axis; one dim each until dims are split.
    pub axes: Vec<Affine>,
}

impl Space {
    /// One dim for each axis.
    pub fn new(axes: &[(usize, Role)]) -> Space {
        let rank = axes.len();
        Space {
            sizes: axes.iter().map(|&(size, _)| size).collect(),
            roles: axes.iter().map(|&(_, role)| role).collect(),
            axes: (0..rank).map(|dim| Affine::dim(dim, rank)).collect(),
        }
    }

    /// Makes `dim` two dims, the inner one of size `inner`.
    pub fn split(&mut self, dim: usize, inner: usize) {
        assert_eq!(self.sizes[dim] % inner, 0, "loops: a dim is split evenly");
        self.sizes[dim] /= inner;
        self.sizes.insert(dim + 1, inner);
        self.roles.insert(dim + 1, self.roles[dim]);
        for form in &mut self.axes {
            let stride = form.strides[dim];
            form.strides[dim] = stride * inner as i64;
            form.strides.insert(dim + 1, stride);
        }
    }

    pub fn sizes_of(&self, role: Role) -> Vec<usize> {
        self.sizes.iter().zip(&self.roles).filter(|&(_, &r)| r == role).map(|(&n, _)| n).collect()
    }

    /// The strides over the dims of some roles, in the order of the dims.
    pub fn strides_of(&self, strides: &[i64], roles: &[Role]) -> Vec<i64> {
        strides.iter().zip(&self.roles).filter(|(_, r)| roles.contains(r)).map(|(&s, _)| s).collect()
    }
}
