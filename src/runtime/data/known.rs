//! Datasets that people know by name, and where they get them.
//!
//! Asked only when a file is not there: the answer says what it probably is, its files and their source.

/// A dataset that is published.
pub struct Known {
    /// Parts of paths that name it, in lower case; the first row with one of them is meant.
    words: &'static [&'static str],
    what: &'static str,
    files: &'static str,
    from: &'static str,
}

const IDX_FILES: &str = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and \
                         t10k-labels-idx1-ubyte.gz";

/// Names that hold others come first: `fashion-mnist` before `mnist`.
const KNOWN: &[Known] = &[
    Known {
        words: &["fashion-mnist", "fashion_mnist", "fashionmnist"],
        what: "Fashion-MNIST, 70,000 images of clothes",
        files: IDX_FILES,
        from: "https://github.com/zalandoresearch/fashion-mnist",
    },
    Known {
        words: &["kmnist"],
        what: "Kuzushiji-MNIST, 70,000 images of old Japanese characters",
        files: IDX_FILES,
        from: "http://codh.rois.ac.jp/kmnist/",
    },
    Known {
        words: &["emnist"],
        what: "EMNIST, handwritten letters and digits",
        files: "the IDX files of gzip.zip",
        from: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
    },
    Known {
        words: &["mnist"],
        what: "MNIST, 70,000 images of handwritten digits",
        files: IDX_FILES,
        from: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    },
    Known {
        words: &["cifar100", "cifar-100"],
        what: "CIFAR-100, 60,000 colour images of 100 classes",
        files: "cifar-100-binary.tar.gz",
        from: "https://www.cs.toronto.edu/~kriz/cifar.html",
    },
    Known {
        words: &["cifar"],
        what: "CIFAR-10, 60,000 colour images of 10 classes",
        files: "cifar-10-binary.tar.gz",
        from: "https://www.cs.toronto.edu/~kriz/cifar.html",
    },
    Known {
        words: &["bccd"],
        what: "BCCD, 364 pictures of blood cells with boxes",
        files: "the folders Annotations, ImageSets and JPEGImages",
        from: "https://github.com/Shenggan/BCCD_Dataset",
    },
    Known {
        words: &["voc2007", "voc2012", "vocdevkit"],
        what: "Pascal VOC, photographs of 20 classes with boxes",
        files: "the folders Annotations, ImageSets and JPEGImages",
        from: "http://host.robots.ox.ac.uk/pascal/VOC/",
    },
    Known {
        words: &["titanic"],
        what: "the passengers of the Titanic",
        files: "train.csv and test.csv",
        from: "https://www.kaggle.com/c/titanic/data",
    },
    Known {
        words: &["adult", "census"],
        what: "Adult, incomes of the 1994 census",
        files: "adult.data and adult.test",
        from: "https://archive.ics.uci.edu/dataset/2/adult",
    },
    Known {
        words: &["wdbc", "breast-cancer", "breast_cancer"],
        what: "Breast Cancer Wisconsin (Diagnostic), 569 tumours",
        files: "wdbc.data",
        from: "https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic",
    },
    Known {
        words: &["winequality", "wine-quality", "wine_quality"],
        what: "Wine Quality, 6,497 wines and their scores",
        files: "winequality-red.csv and winequality-white.csv",
        from: "https://archive.ics.uci.edu/dataset/186/wine+quality",
    },
    Known {
        words: &["wine"],
        what: "Wine, 178 wines of three growers",
        files: "wine.data",
        from: "https://archive.ics.uci.edu/dataset/109/wine",
    },
    Known {
        words: &["california-housing", "california_housing", "cal_housing", "housing.csv"],
        what: "California Housing, 20,640 districts of the 1990 census",
        files: "housing.csv",
        from: "https://github.com/ageron/handson-ml2/tree/master/datasets/housing",
    },
    Known {
        words: &["credit-default", "credit_default", "uci_credit_card", "credit-card", "credit_card"],
        what: "Default of Credit Card Clients, 30,000 accounts",
        files: "UCI_Credit_Card.csv",
        from: "https://www.kaggle.com/datasets/uciml/default-of-credit-card-clients-dataset",
    },
    Known {
        words: &["german"],
        what: "Statlog German Credit, 1,000 applicants",
        files: "german.data",
        from: "https://archive.ics.uci.edu/dataset/144/statlog+german+credit+data",
    },
    Known {
        words: &["iris"],
        what: "Iris, 150 flowers of three species",
        files: "iris.data",
        from: "https://archive.ics.uci.edu/dataset/53/iris",
    },
    Known {
        words: &["penguins"],
        what: "the Palmer penguins",
        files: "penguins.csv",
        from: "https://allisonhorst.github.io/palmerpenguins/",
    },
    Known {
        words: &["digits", "optdigits"],
        what: "Optical Recognition of Handwritten Digits, 8 x 8 pixels",
        files: "optdigits.tra and optdigits.tes",
        from: "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    },
    Known {
        words: &["diabetes"],
        what: "Diabetes, 442 patients (Efron and others, 2004)",
        files: "diabetes.tab.txt",
        from: "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
    },
    Known {
        words: &["covtype", "covertype"],
        what: "Covertype, 581,012 patches of forest",
        files: "covtype.data.gz",
        from: "https://archive.ics.uci.edu/dataset/31/covertype",
    },
    Known {
        words: &["bank-full", "bank-additional", "bank-marketing", "bank_marketing"],
        what: "Bank Marketing, 45,211 calls",
        files: "bank-full.csv",
        from: "https://archive.ics.uci.edu/dataset/222/bank+marketing",
    },
    Known {
        words: &["heart-disease", "heart_disease", "cleveland"],
        what: "Heart Disease, 303 patients of Cleveland",
        files: "processed.cleveland.data",
        from: "https://archive.ics.uci.edu/dataset/45/heart+disease",
    },
    Known {
        words: &["abalone"],
        what: "Abalone, 4,177 sea snails",
        files: "abalone.data",
        from: "https://archive.ics.uci.edu/dataset/1/abalone",
    },
    Known {
        words: &["auto-mpg", "auto_mpg"],
        what: "Auto MPG, 398 cars",
        files: "auto-mpg.data",
        from: "https://archive.ics.uci.edu/dataset/9/auto+mpg",
    },
    Known {
        words: &["mushroom", "agaricus"],
        what: "Mushroom, 8,124 mushrooms",
        files: "agaricus-lepiota.data",
        from: "https://archive.ics.uci.edu/dataset/73/mushroom",
    },
    Known {
        words: &["spambase"],
        what: "Spambase, 4,601 e-mails",
        files: "spambase.data",
        from: "https://archive.ics.uci.edu/dataset/94/spambase",
    },
    Known {
        words: &["higgs"],
        what: "HIGGS, 11,000,000 simulated collisions",
        files: "HIGGS.csv.gz",
        from: "https://archive.ics.uci.edu/dataset/280/higgs",
    },
    Known {
        words: &["imdb"],
        what: "the Large Movie Review Dataset, 50,000 reviews of IMDb",
        files: "aclImdb_v1.tar.gz, and write its reviews to CSV",
        from: "https://ai.stanford.edu/~amaas/data/sentiment/",
    },
    Known {
        words: &["rt-polarity", "rt_polarity"],
        what: "Movie Review Data, 10,662 sentences",
        files: "rt-polaritydata.tar.gz",
        from: "https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    },
    Known {
        words: &["sst2", "sst-2"],
        what: "the Stanford Sentiment Treebank",
        files: "the files of SST-2",
        from: "https://nlp.stanford.edu/sentiment/",
    },
    Known {
        words: &["tinyshakespeare", "tiny-shakespeare", "tiny_shakespeare"],
        what: "Tiny Shakespeare, 40,000 lines of plays",
        files: "input.txt",
        from: "https://github.com/karpathy/char-rnn/tree/master/data/tinyshakespeare",
    },
    Known {
        words: &["multi30k"],
        what: "Multi30k, captions in English and German",
        files: "the files of task 1",
        from: "https://github.com/multi30k/dataset",
    },
];

/// What a path that is not there probably stands for: a sentence, and an action behind it.
pub fn advice(path: &str) -> Option<String> {
    let path = path.to_lowercase();
    let known = KNOWN.iter().find(|k| k.words.iter().any(|word| path.contains(word)))?;
    Some(format!("this looks like {}: get {} from {}", known.what, known.files, known.from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_others_come_first() {
        for (row, known) in KNOWN.iter().enumerate() {
            for word in known.words {
                let found = KNOWN.iter().position(|k| k.words.iter().any(|w| word.contains(w)));
                assert_eq!(found, Some(row), "`{word}` is taken for another");
            }
            assert!(known.from.starts_with("http"));
        }
    }

    #[test]
    fn paths_of_any_kind_are_known() {
        for (path, what) in [
            ("Fashion-MNIST", "Fashion-MNIST"),
            ("data/mnist", "MNIST, 70,000"),
            ("titanic/train.csv", "the passengers"),
            ("tabular/california-housing/housing.csv", "California"),
        ] {
            assert!(
                advice(path).is_some_and(|a| a.starts_with(&format!("this looks like {what}"))),
                "{path}"
            );
        }
        assert_eq!(advice("my/table.csv"), None);
    }
}
