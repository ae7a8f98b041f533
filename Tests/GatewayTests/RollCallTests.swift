import Testing

@testable import Gateway

@Suite("Roll call of workers")
struct RollCallTests {
  @Test func nobodyIsMissingWhereAllHaveAnsweredBefore() async {
    let call = RollCall(of: 2)
    call.answered(1)
    call.answered(0)
    #expect(await call.wait() == [])
  }

  @Test func answersOfOtherThreadsEndTheWait() async {
    let call = RollCall(of: 3)
    for index in 0..<3 { Task.detached { call.answered(index) } }
    #expect(await call.wait() == [])
  }

  @Test func whoHasNotAnsweredIsMissingWhenNoMoreIsWaitedFor() async {
    let call = RollCall(of: 4)
    call.answered(2)
    call.giveUp(after: .milliseconds(1))
    #expect(await call.wait() == [0, 1, 3])
  }

  @Test func anAnswerAfterTheEndChangesNothing() async {
    let call = RollCall(of: 1)
    call.giveUp(after: .zero)
    call.giveUp(after: .zero)
    #expect(await call.wait() == [0])
    call.answered(0)
    call.giveUp(after: .zero)
  }

  @Test func nobodyIsWaitedForWhereThereIsNobody() async {
    #expect(await RollCall(of: 0).wait() == [])
  }
}
