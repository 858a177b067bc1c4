import Foundation
import Synchronization

/// SIGINT and SIGTERM as a flag that loops ask; a second signal ends the process at once.
enum Interruption {
  private static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// From now on signals set the flag.
  static func listen() {
    // The global is initialised here and not in the handler.
    flag.store(false, ordering: .relaxed)
    // A parent may have left them blocked.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&wanted, number)
      signal(number) { _ in
        if Interruption.flag.exchange(true, ordering: .relaxed) { _exit(130) }
      }
    }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
  }

  static let failure = Failure(.interrupted, "interrupted")
}
