//! Dense tensors of f64, row-major.

/// A tensor of the reference interpreter. Whatever its element type, numbers are f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Tensor {
    /// # Panics
    /// If `data` has other elements than `shape`.
    pub fn new(shape: impl Into<Vec<usize>>, data: impl Into<Vec<f64>>) -> Tensor {
        let (shape, data) = (shape.into(), data.into());
        assert_eq!(shape.iter().product::<usize>(), data.len(), "tensor: elements of {shape:?}");
        Tensor { shape, data }
    }

    pub fn scalar(x: f64) -> Tensor {
        Tensor { shape: Vec::new(), data: vec![x] }
    }

    /// The value of `f` at every place.
    pub fn tabulate(shape: Vec<usize>, f: impl FnMut(&Vec<usize>) -> f64) -> Tensor {
        let mut f = f;
        let data = places(&shape).map(|at| f(&at)).collect();
        Tensor { shape, data }
    }

    pub fn at(&self, place: &[usize]) -> f64 {
        self.data[place.iter().zip(strides(&self.shape)).map(|(i, s)| i * s).sum::<usize>()]
    }
}

/// How many elements lie between neighbours along each axis.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Every place of a shape, in row-major order.
pub fn places(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    let steps = strides(&shape);
    let count: usize = shape.iter().product();
    (0..count).map(move |i| shape.iter().zip(&steps).map(|(n, s)| i / s % n).collect())
}
