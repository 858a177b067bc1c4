/// A data set that can be downloaded: what its makers publish, and what it becomes.
public struct Archive: Sendable {
  public struct File: Sendable {
    public let name: String
    /// The publisher's MD5, in hexadecimal digits.
    public let md5: String
  }

  public let name: String
  public let about: String
  /// The folder of the files' addresses, with a slash at its end.
  public let address: String
  public let files: [File]
  /// The folder that has the data afterwards.
  public let folder: String
  /// Whether the files are tar archives, rather than read as they are.
  public let isPacked: Bool
  /// Images of the two splits.
  public let counts: [Split: Int]

  public static let all = [
    cifar(10, "162 MB", folder: "batches-bin", md5: "c32a1d4ab5d03f1284b67883e8d87530"),
    cifar(100, "161 MB", folder: "binary", md5: "03b5dce01913d631647c71ecec9e9cb8"),
    Archive(
      name: "mnist", about: "MNIST: 70,000 handwritten digits of 28x28, 12 MB",
      address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
      files: [
        File(name: "train-images-idx3-ubyte.gz", md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        File(name: "train-labels-idx1-ubyte.gz", md5: "d53e105ee54ea40749a09fcbcd1e9432"),
        File(name: "t10k-images-idx3-ubyte.gz", md5: "9fb629c4189551a2d022fa330f9573f3"),
        File(name: "t10k-labels-idx1-ubyte.gz", md5: "ec29112dd5afa0611ce80d1b7f02629c"),
      ],
      folder: "mnist", isPacked: false, counts: [.train: 60_000, .test: 10_000]),
    imagenette("", "full size, 1.5 GB", md5: "fe2fc210e6bb7c5664d602c3cd71e612"),
    imagenette("-320", "shorter side 320, 326 MB", md5: "3df6f0d01a2c9592104656642f5e78a3"),
    imagenette("-160", "shorter side 160, 94 MB", md5: "e793b78cc4c9e9a4ccc0c1155377a412"),
  ]

  private static func cifar(
    _ classes: Int, _ size: String, folder: String, md5: String
  ) -> Archive {
    Archive(
      name: "cifar\(classes)",
      about: "CIFAR-\(classes): 60,000 photos of 32x32 in \(classes) classes, \(size)",
      address: "https://www.cs.toronto.edu/~kriz/",
      files: [File(name: "cifar-\(classes)-binary.tar.gz", md5: md5)],
      folder: "cifar-\(classes)-\(folder)", isPacked: true,
      counts: [.train: 50_000, .test: 10_000])
  }

  private static func imagenette(_ size: String, _ about: String, md5: String) -> Archive {
    Archive(
      name: "imagenette\(size)",
      about: "Imagenette 2: 13,394 photos in 10 of ImageNet's classes, \(about)",
      address: "https://s3.amazonaws.com/fast-ai-imageclas/",
      files: [File(name: "imagenette2\(size).tgz", md5: md5)],
      folder: "imagenette2\(size)", isPacked: true, counts: [.train: 9_469, .test: 3_925])
  }
}
