// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "mynet",
  dependencies: [
    // A checkout beside this folder. Or .package(url: "URL", branch: "main"), or revision:.
    .package(name: "clat", path: "../clat")
  ],
  targets: [
    .executableTarget(
      name: "mynet",
      dependencies: [
        .product(name: "Models", package: "clat"), .product(name: "Runner", package: "clat"),
      ])
  ]
)
