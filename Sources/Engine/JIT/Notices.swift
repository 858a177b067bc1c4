import Foundation
import Synchronization

/// What the engine has to say besides errors, once each, on standard error.
enum Notices {
  private static let said = Mutex<Set<String>>([])

  static func say(_ text: String) {
    guard said.withLock({ $0.insert(text).inserted }) else { return }
    FileHandle.standardError.write(Data("clat: \(text)\n".utf8))
  }
}
