package restep;

import scala.Tuple3;
import scienceworld.runtime.AgentInterface;
import scienceworld.runtime.pythonapi.PythonInterface;

/**
 * One step of the simulator, and all there is to know after it, in one call.
 *
 * <p>PythonInterface.step also looks around and takes inventory before each step, keeps both in a history without
 * end, and prints every name an object may have. None of that reaches the reply or changes the state (a test plays
 * both ways side by side), and it takes a fifth of the time; so it is left out here.
 */
public final class Steps {
    private static final String UNKNOWN =
            "Unknown action.  Type 'help' for a list of actions, and 'objects' for a list of possible object referents. ";

    private Steps() {}

    /**
     * Execute an action. Score, completion, simulated time passed, a look, the inventory (both empty unless {@code look},
     * and when no time passed) and the reply, separated by U+001F.
     */
    public static String step(PythonInterface engine, String action, boolean look) {
        int before = engine.getNumMoves();
        String reply = reply(engine, action);
        int passed = engine.getNumMoves() - before;
        boolean seeing = look && passed > 0;
        return String.join(
                "\u001f",
                Double.toString(engine.getScore()),
                Boolean.toString(engine.getCompleted()),
                Integer.toString(passed),
                seeing ? engine.freeActionLook() : "",
                seeing ? engine.freeActionInventory() : "",
                reply);
    }

    private static String reply(PythonInterface engine, String action) {
        String word = action.trim().toLowerCase();
        boolean playing = engine.errorStr().isEmpty() && !engine.errorUnknownEnvironment() && engine.agentInterface().isDefined()
                && engine.agent().isDefined() && engine.agent().get().getContainer().isDefined();
        if (!playing || word.equals("help") || word.equals("objects") || word.equals("task")) {
            return engine.step(action); // answered by PythonInterface itself
        }
        AgentInterface agent = engine.agentInterface().get();
        Tuple3<String, Object, Object> result = agent.step(action);
        engine.score_$eq((Double) result._2());
        engine.isComplete_$eq((Boolean) result._3());
        String observation = result._1();
        return observation.isEmpty() ? UNKNOWN : observation;
    }
}
