import Glibc
import Runtime
import Testing

/// A shell stands for the new process: descriptor 3 is its end of the channel.
@Suite struct ChildProcessTests {
  private func shell(_ script: String, environment: [String] = ["PATH=/usr/bin:/bin"]) throws -> (
    ChildProcess, DescriptorChannel
  ) {
    let (own, other) = try DescriptorChannel.pair()
    let child = try ChildProcess(
      path: "/bin/sh", arguments: ["sh", "-c", script], environment: environment, channel: other)
    return (child, own)
  }

  private func text(_ message: DescriptorChannel.Message?) -> String? {
    message.map { String(decoding: $0.bytes, as: UTF8.self) }
  }

  @Test func inheritsItsChannelAndNothingElse() throws {
    // Not close-on-exec, as some library might have it.
    let stray = unsafe open("/dev/null", O_RDONLY)
    defer { close(stray) }
    let (child, channel) = try shell("exec ls /proc/self/fd >&3")
    // The last is the folder that ls reads.
    #expect(text(try channel.receive(milliseconds: 20_000)) == "0\n1\n2\n3\n4\n")
    #expect(child.waitForEnd() == .exited(status: 0))
  }

  @Test func environmentIsAsGiven() throws {
    let (child, channel) = try shell("printf %s \"$ONE-$TWO\" >&3", environment: ["ONE=1"])
    #expect(text(try channel.receive(milliseconds: 20_000)) == "1-")
    #expect(child.waitForEnd() == .exited(status: 0))
  }

  @Test func signalsHaveTheirDefaults() throws {
    // Ignored here, and so in children, unless that is undone.
    let before = signal(SIGUSR2, SIG_IGN)
    defer { signal(SIGUSR2, before) }
    let (child, channel) = try shell("exec grep -E 'Sig(Ign|Blk)' /proc/self/status >&3")
    let masks = try #require(text(try channel.receive(milliseconds: 20_000))).split(separator: "\n").map {
      UInt64($0.dropFirst("SigBlk:\t".count), radix: 16)
    }
    // Signals 1 to 31; two further ones are the C library's own, which it leaves ignored.
    #expect(masks.map { $0.map { $0 & 0x7fff_ffff } } == [0, 0])
    #expect(child.waitForEnd() == .exited(status: 0))
  }

  @Test func endIsTold() throws {
    let (exited, channel) = try shell("exit 7")
    #expect(try channel.receive(milliseconds: 20_000) == nil)
    #expect(exited.waitForEnd() == .exited(status: 7))
    let (killed, other) = try shell("printf x >&3; exec sleep 60")
    #expect(text(try other.receive(milliseconds: 20_000)) == "x")
    #expect(killed.endIfEnded() == nil)
    killed.kill()
    #expect(killed.waitForEnd() == .killed(signal: SIGKILL))
  }

  @Test func programThatIsNotThereIsReported() throws {
    let (_, other) = try DescriptorChannel.pair()
    #expect(throws: SystemError(ENOENT)) {
      _ = try ChildProcess(path: "/no/such/program", arguments: ["x"], environment: [], channel: other)
    }
  }
}
