import NIOCore
import NIOHTTPTypes
import Synchronization

/// Tells requests that their client has gone: a connection whose other end is closed is of no use to an answer, and
/// nothing is written, or read, that would show it while a prompt is being read.
final class Connections: Sendable {
    private struct State {
        var next: UInt64 = 0
        /// By connection, what is to be done when it closes.
        var waiting: [ObjectIdentifier: [UInt64: @Sendable () -> Void]] = [:]
        /// Connections whose other end has said that it sends no more.
        var gone: Set<ObjectIdentifier> = []
    }
    private let state = Mutex(State())

    /// Does `action` when the client goes, at once if it has gone.
    /// - Returns: a token for ``forget(_:of:)``.
    func onClose(of channel: any Channel, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        let key = ObjectIdentifier(channel)
        let (token, isGone) = state.withLock { state in
            state.next += 1
            let isGone = state.gone.contains(key) || !channel.isActive
            if !isGone { state.waiting[key, default: [:]][state.next] = action }
            return (state.next, isGone)
        }
        if isGone { action() }
        return token
    }

    func forget(_ token: UInt64, of channel: any Channel) {
        let key = ObjectIdentifier(channel)
        state.withLock { state in
            state.waiting[key]?[token] = nil
            if state.waiting[key]?.isEmpty == true { state.waiting[key] = nil }
        }
    }

    fileprivate func inputClosed(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        let actions = state.withLock { state in
            state.gone.insert(key)
            return state.waiting.removeValue(forKey: key)
        }
        for action in actions?.values.map({ $0 }) ?? [] { action() }
    }

    fileprivate func closed(_ channel: any Channel) {
        inputClosed(channel)
        state.withLock { _ = $0.gone.remove(ObjectIdentifier(channel)) }
    }

    /// What watches one connection.
    func makeHandler() -> any RemovableChannelHandler { Handler(self) }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPRequestPart
        private let connections: Connections

        init(_ connections: Connections) { self.connections = connections }

        func handlerAdded(context: ChannelHandlerContext) {
            // A client whose machine is gone closes nothing.
            let channel = context.channel
            _ = channel.setOption(.socketOption(.so_keepalive), value: 1)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed? = event as? ChannelEvent { connections.inputClosed(context.channel) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            connections.closed(context.channel)
            context.fireChannelInactive()
        }
    }
}
