//! Dense tensors of f64, row-major.

/// A tensor of the reference interpreter. Whatever its element type, numbers are f64.
#[derive(Clone, Debug, Default, PartialEq)]
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
    pub fn tabulate(shape: Vec<usize>, mut f: impl FnMut(&[usize]) -> f64) -> Tensor {
        let mut data = Vec::with_capacity(shape.iter().product());
        each_place(&shape, |at| data.push(f(at)));
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

/// Visits every place of a shape, in row-major order.
pub fn each_place(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    let mut at = vec![0; shape.len()];
    for _ in 0..shape.iter().product::<usize>() {
        visit(&at);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            if at[axis] < shape[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
}
