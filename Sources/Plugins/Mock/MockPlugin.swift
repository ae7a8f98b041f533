import DataPlane
import Resources

extension Mock: RunnablePlugin {
  public func plugin(at site: PluginSite) -> Plugin { MockPlugin(self) }
}

final class MockPlugin: Plugin {
  private struct Example {
    let trigger: RequestTrigger?
    let answer: ReadyAnswer
    let delayNanoseconds: Int64
  }

  private let trigger: RequestTrigger?
  private let examples: [Example]
  private var delays = DelayCount()

  init(_ settings: Mock) {
    trigger = settings.trigger
    examples = settings.examples.map {
      Example(trigger: $0.trigger, answer: ReadyAnswer($0.answer), delayNanoseconds: $0.delayNanoseconds)
    }
    super.init(.requestHead)
  }

  override func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict {
    if let trigger, !trigger.holds(for: exchange) { return .next }
    guard let example = example(for: exchange) else { return .next }
    if example.delayNanoseconds > 0, delays.mayBegin { return .wait }
    return .answer(example.answer.answer(to: exchange))
  }

  override func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict {
    guard let example = example(for: exchange) else { return .next }
    delays.begin()
    await exchange.sleep(nanoseconds: example.delayNanoseconds)
    delays.end()
    return .answer(example.answer.answer(to: exchange))
  }

  private func example(for exchange: Exchange) -> Example? {
    examples.first { $0.trigger?.holds(for: exchange) ?? true }
  }
}
