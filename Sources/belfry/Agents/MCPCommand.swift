// belfry mcp: the hub as tools for agents.

import ArgumentParser
import BelfryCore
import BelfryMCP
import Glibc

struct MCPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract: "Serves the hub to an agent as an MCP server on stdin and stdout.",
        discussion: """
            For the mcpServers of an agent's settings: {"command": "belfry", "args": ["mcp"]}. It ends when stdin \
            ends; tasks go on.
            """
    )

    @Flag(help: "Let the agent run any command, as you.") var allowShell = false

    func run() throws {
        let output = LineOutput.takingStandardOutput()
        let server = MCPToolServer(
            MCPToolServer.Identity(
                name: "belfry",
                version: BelfryVersion.current,
                instructions: HubTools.instructions
            ),
            tools: HubTools(allowsShell: allowShell),
            input: LineInput(),
            output: output
        )
        // The one way from a main function that is not asynchronous, and that of a program that starts in
        // milliseconds is not: the main thread has nothing to do any more but to wait.
        Task {
            await server.run()
            Glibc.exit(0)
        }
        while true { pause() }
    }
}
