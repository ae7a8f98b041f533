import CCares
import Glibc
import Runtime

/// The resolver's thread: gives queries to c-ares and waits for its sockets.
///
/// c-ares is told of no thread but this one. `@safe`: the channel is made and destroyed here, and
/// c-ares calls back only from within the calls that this class makes.
@safe
final class ResolverLoop {
  /// Addresses kept of one name; an answer with more is cut after sorting.
  static let addressesMax = 256

  private let options: Resolver.Options
  private let inbox: ResolverInbox
  private var channel: ares_channel?
  private var settings: FileSignature?
  /// What c-ares waits for, by descriptor.
  private var interests: [Int32: Int16] = [:]
  private var waiting: [ResolverQuery] = []
  fileprivate var inFlight = 0
  /// c-ares answers from the hosts file before its call returns, and from DNS later.
  fileprivate private(set) var isAsking = false

  init(options: Resolver.Options, inbox: ResolverInbox) throws(ResolverError) {
    self.options = options
    self.inbox = inbox
    try openChannel()
  }

  deinit {
    if let channel = unsafe channel { unsafe ares_destroy(channel) }
  }

  func run() {
    while true {
      let news = inbox.take()
      waiting.append(contentsOf: news.queries)
      if news.isClosed { break }
      askWaiting()
      wait()
    }
    // Queries in flight are called back from within, as cancelled.
    if let channel = unsafe channel { unsafe ares_destroy(channel) }
    unsafe channel = nil
    for query in waiting { query.finish(.failure(.cancelled)) }
  }

  // MARK: Asking

  private func askWaiting() {
    var next = 0
    while next < waiting.count, inFlight < Resolver.inFlightMax {
      let query = waiting[next]
      next += 1
      if !query.isFinished { ask(query) }
    }
    waiting.removeFirst(next)
  }

  private func ask(_ query: ResolverQuery) {
    do {
      try reopenIfSettingsChanged()
    } catch {
      query.finish(.failure(error))
      return
    }
    var hints = ares_addrinfo_hints()
    hints.ai_family = AF_UNSPEC
    // One entry per address rather than one per socket type; the order is our own.
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = ARES_AI_NOSORT
    inFlight += 1
    isAsking = true
    let call = ResolverCall(loop: self, query: query)
    // The strings are copied during the call. The retained call is taken over by the callback,
    // which c-ares calls exactly once, at the latest when the channel is destroyed.
    unsafe ares_getaddrinfo(
      channel, query.name, nil, &hints,
      { argument, status, _, information in
        let call = unsafe Unmanaged<ResolverCall>.fromOpaque(argument!).takeRetainedValue()
        unsafe call.finish(status, information)
        if let information = unsafe information { unsafe ares_freeaddrinfo(information) }
      }, Unmanaged.passRetained(call).toOpaque())
    isAsking = false
  }

  // MARK: The channel

  /// c-ares reads resolv.conf once; a change of it is followed when no query is under way.
  private func reopenIfSettingsChanged() throws(ResolverError) {
    guard inFlight == 0, options.servers == nil else { return }
    let isOpen = unsafe channel != nil
    if isOpen, FileSignature(path: Self.settingsPath) == settings { return }
    try openChannel()
  }

  private static let settingsPath = "/etc/resolv.conf"

  private func openChannel() throws(ResolverError) {
    if let old = unsafe channel { unsafe ares_destroy(old) }
    unsafe channel = nil
    interests = [:]
    settings = FileSignature(path: Self.settingsPath)

    var settings = unsafe ares_options()
    unsafe settings.timeout = Int32(clamping: max(1, options.timeout.inNanoseconds / 1_000_000))
    unsafe settings.tries = Int32(clamping: max(1, options.tries))
    // Unretained is enough: the channel does not outlive this object.
    unsafe settings.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
    unsafe settings.sock_state_cb = { data, descriptor, isRead, isWritten in
      unsafe Unmanaged<ResolverLoop>.fromOpaque(data!).takeUnretainedValue()
        .note(descriptor, isRead: isRead != 0, isWritten: isWritten != 0)
    }
    var opened: ares_channel?
    // c-ares copies the options during the call.
    let status = unsafe ares_init_options(
      &opened, &settings, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB)
    try Self.check(status)
    unsafe channel = opened
    if let servers = options.servers {
      // The string is parsed during the call.
      try Self.check(unsafe ares_set_servers_ports_csv(opened, servers))
    }
  }

  private static func check(_ status: Int32) throws(ResolverError) {
    if status != ARES_SUCCESS { throw ResolverError(status: status) }
  }

  private func note(_ descriptor: Int32, isRead: Bool, isWritten: Bool) {
    let events = (isRead ? Int16(POLLIN) : 0) | (isWritten ? Int16(POLLOUT) : 0)
    interests[descriptor] = events == 0 ? nil : events
  }

  // MARK: Waiting

  private func wait() {
    var descriptors = [pollfd(fd: inbox.wake.handle, events: Int16(POLLIN), revents: 0)]
    for (descriptor, events) in interests {
      descriptors.append(pollfd(fd: descriptor, events: events, revents: 0))
    }
    // poll reads and writes the array's elements during the call.
    let count = unsafe poll(&descriptors, nfds_t(descriptors.count), timeout())
    if count > 0 {
      for descriptor in descriptors.dropFirst() where descriptor.revents != 0 {
        let isReadable = descriptor.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0
        let isWritable = descriptor.revents & Int16(POLLOUT | POLLERR | POLLHUP) != 0
        // The channel is open while the loop runs.
        unsafe ares_process_fd(
          channel, isReadable ? descriptor.fd : Self.none, isWritable ? descriptor.fd : Self.none)
      }
    }
    // Also looks for queries whose time has passed.
    if inFlight > 0 { unsafe ares_process_fd(channel, Self.none, Self.none) }
  }

  private static let none: ares_socket_t = -1

  /// Milliseconds until c-ares wants to be called, rounded up; -1: no query is under way.
  private func timeout() -> Int32 {
    guard inFlight > 0 else { return -1 }
    var time = timeval()
    // c-ares answers with nil or the address of the structure given.
    guard unsafe ares_timeout(channel, nil, &time) != nil else { return -1 }
    return Int32(clamping: Int(time.tv_sec) * 1000 + Int(time.tv_usec) / 1000 + 1)
  }
}

/// A query that c-ares is at work on.
private final class ResolverCall {
  private let loop: ResolverLoop
  private let query: ResolverQuery

  init(loop: ResolverLoop, query: ResolverQuery) {
    self.loop = loop
    self.query = query
  }

  /// `information` is valid for the call.
  func finish(_ status: Int32, _ information: UnsafeMutablePointer<ares_addrinfo>?) {
    loop.inFlight -= 1
    guard status == ARES_SUCCESS, let information = unsafe information else {
      query.finish(.failure(ResolverError(status: status)))
      return
    }
    let answer = unsafe ResolverAnswer(information)
    guard !answer.addresses.isEmpty else {
      query.finish(.failure(ResolverError(.noAddress, "the name has no address")))
      return
    }
    let resolution = Resolution(
      addresses: answer.addresses, timeToLive: loop.isAsking ? nil : .seconds(answer.timeToLive))
    query.finish(.success(resolution))
  }
}
