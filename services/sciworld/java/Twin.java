package restep;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Set;

import jdk.internal.misc.Unsafe;

/**
 * Deep copies of simulators: the way to try something out from a state without playing up to it again.
 *
 * <p>ScienceWorld has no snapshots and its classes are not serialisable, so the object graph is copied field by field.
 * The JVMs run with one identity hash for all objects, which makes every identity map a list; so while a copy is
 * made, an original's first reference leads to its copy (as in Cheney's collector), and is put back at the end.
 * Only one thread may be active in the graph, and it must be the one that copies.
 */
public final class Twin {
    private static final Unsafe UNSAFE = Unsafe.getUnsafe();
    private static final long ARRAY_BASE = constant("ARRAY_OBJECT_BASE_OFFSET");
    private static final long ARRAY_SCALE = constant("ARRAY_OBJECT_INDEX_SCALE");
    private static final Set<String> SHARED = Set.of("scienceworld.tasks.TaskMaker1");
    private static final String[] SHARED_PACKAGES = {"java.lang.", "java.util.regex.", "java.io.", "py4j.", "jdk.", "sun."};
    private static final ClassValue<Shape> SHAPES = new ClassValue<>() {
        @Override
        protected Shape computeValue(Class<?> type) {
            return new Shape(type);
        }
    };

    private final ArrayList<Object> originals = new ArrayList<>();
    private final ArrayList<Object> unlinked = new ArrayList<>();
    private final ArrayList<Object> copies = new ArrayList<>();

    private Twin() {}

    /** A number of Unsafe, an int or a long as the version of Java has it. */
    private static long constant(String name) {
        try {
            return ((Number) Unsafe.class.getField(name).get(null)).longValue();
        } catch (ReflectiveOperationException absent) {
            throw new IllegalStateException(absent);
        }
    }

    /** Copies of {@code first} and {@code second}, which may share parts: so do the copies. */
    public static Object[] of(Object first, Object second) {
        Twin twin = new Twin();
        try {
            Object[] copied = {twin.copyOf(first), twin.copyOf(second)};
            for (int done = 0; done < twin.copies.size(); done++) {
                twin.link(twin.copies.get(done));
            }
            return copied;
        } finally {
            twin.restore();
        }
    }

    /** The copy of an original, made shallow at first sight; what is immutable or the JVM's own stands for itself. */
    private Object copyOf(Object original) {
        if (original == null) {
            return null;
        }
        Shape shape = SHAPES.get(original.getClass());
        if (shape.shared) {
            return original;
        }
        long anchor = shape.anchor(original);
        if (anchor < 0) {
            return copyUnlinked(shape, original);
        }
        Object found = UNSAFE.getReference(original, anchor);
        if (found instanceof Forward) {
            return ((Forward) found).copy;
        }
        Object copy = shape.shallow(original);
        UNSAFE.putReference(original, anchor, new Forward(copy, found));
        originals.add(original);
        copies.add(copy);
        return copy;
    }

    /** Objects without references have no room for a forward; those that are not arrays are few, and kept in a list. */
    private Object copyUnlinked(Shape shape, Object original) {
        if (original.getClass().isArray()) {
            return shape.shallow(original);
        }
        for (int i = 0; i < unlinked.size(); i += 2) {
            if (unlinked.get(i) == original) {
                return unlinked.get(i + 1);
            }
        }
        Object copy = shape.shallow(original);
        unlinked.add(original);
        unlinked.add(copy);
        return copy;
    }

    private void link(Object copy) {
        if (copy instanceof Object[]) {
            int length = ((Object[]) copy).length;
            for (int i = 0; i < length; i++) {
                relink(copy, ARRAY_BASE + i * ARRAY_SCALE);
            }
            return;
        }
        for (long offset : SHAPES.get(copy.getClass()).references) {
            relink(copy, offset);
        }
    }

    private void relink(Object copy, long offset) {
        UNSAFE.putReference(copy, offset, copyOf(UNSAFE.getReference(copy, offset)));
    }

    private void restore() {
        for (Object original : originals) {
            long anchor = SHAPES.get(original.getClass()).anchor(original);
            Forward forward = (Forward) UNSAFE.getReference(original, anchor);
            UNSAFE.putReference(original, anchor, forward.original);
        }
    }

    /** Where an original leads while its graph is copied. */
    private static final class Forward {
        final Object copy;
        final Object original;

        Forward(Object copy, Object original) {
            this.copy = copy;
            this.original = original;
        }
    }

    /** What is to be copied of a class. */
    private static final class Shape {
        final Class<?> type;
        final boolean shared;
        final long[] references;
        private final long[] primitives;
        private final Class<?>[] primitiveTypes;

        Shape(Class<?> type) {
            this.type = type;
            ArrayList<Field> fields = new ArrayList<>();
            for (Class<?> from = type; from != null && !type.isArray(); from = from.getSuperclass()) {
                for (Field field : from.getDeclaredFields()) {
                    if (!Modifier.isStatic(field.getModifiers())) {
                        fields.add(field);
                    }
                }
            }
            references = fields.stream().filter(f -> !f.getType().isPrimitive()).mapToLong(UNSAFE::objectFieldOffset).toArray();
            Field[] rest = fields.stream().filter(f -> f.getType().isPrimitive()).toArray(Field[]::new);
            primitives = new long[rest.length];
            primitiveTypes = new Class<?>[rest.length];
            for (int i = 0; i < rest.length; i++) {
                primitives[i] = UNSAFE.objectFieldOffset(rest[i]);
                primitiveTypes[i] = rest[i].getType();
            }
            shared = isShared(type, fields);
        }

        /** Strings, numbers, enumerations, singletons, functions that capture nothing, the table of all tasks. */
        private static boolean isShared(Class<?> type, ArrayList<Field> fields) {
            if (type.isArray()) {
                return false;
            }
            String name = type.getName();
            for (String prefix : SHARED_PACKAGES) {
                if (name.startsWith(prefix)) {
                    return true;
                }
            }
            if (SHARED.contains(name) || type.isEnum() || (type.isHidden() && fields.isEmpty())) {
                return true;
            }
            try {
                return Modifier.isStatic(type.getDeclaredField("MODULE$").getModifiers());
            } catch (NoSuchFieldException absent) {
                return false;
            }
        }

        /** Offset of the reference that is borrowed for the forward; negative when there is none. */
        long anchor(Object object) {
            if (object instanceof Object[]) {
                return ((Object[]) object).length > 0 ? ARRAY_BASE : -1;
            }
            return references.length > 0 ? references[0] : -1;
        }

        Object shallow(Object original) {
            if (type.isArray()) {
                int length = Array.getLength(original);
                Object copy = Array.newInstance(type.getComponentType(), length);
                System.arraycopy(original, 0, copy, 0, length);
                return copy;
            }
            try {
                Object copy = UNSAFE.allocateInstance(type);
                for (long offset : references) {
                    UNSAFE.putReference(copy, offset, UNSAFE.getReference(original, offset));
                }
                for (int i = 0; i < primitives.length; i++) {
                    copyPrimitive(primitiveTypes[i], original, copy, primitives[i]);
                }
                return copy;
            } catch (InstantiationException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private static void copyPrimitive(Class<?> type, Object from, Object to, long at) {
            if (type == boolean.class || type == byte.class) {
                UNSAFE.putByte(to, at, UNSAFE.getByte(from, at));
            } else if (type == short.class || type == char.class) {
                UNSAFE.putShort(to, at, UNSAFE.getShort(from, at));
            } else if (type == int.class || type == float.class) {
                UNSAFE.putInt(to, at, UNSAFE.getInt(from, at));
            } else {
                UNSAFE.putLong(to, at, UNSAFE.getLong(from, at));
            }
        }
    }
}
