//! The demonstration's content: the news of a neighbours' association over some six weeks.

/// A post of the demonstration.
pub(super) struct SamplePost {
    /// The name of its area.
    pub area: &'static str,
    /// The name of its author.
    pub author: &'static str,
    /// How many days ago it was published.
    pub days_ago: i64,
    /// At which hour and minute (UTC).
    pub at: (i64, i64),
    /// Its title.
    pub title: &'static str,
    /// Markdown.
    pub text: &'static str,
}

/// Who writes.
pub(super) const MEMBERS: [&str; 7] = [
    "marta", "julián", "carmen", "ibrahim", "lucía", "tomás", "nuria",
];

/// The areas, with what they are for.
pub(super) const AREAS: [(&str, &str); 6] = [
    (
        "Avisos",
        "Lo que hay que saber: cortes, obras y citas de la asociación.",
    ),
    (
        "Asambleas",
        "Convocatorias, actas y lo que se acuerda entre todos.",
    ),
    (
        "Obras y arreglos",
        "El ascensor, el tejado, las aceras y quién viene a mirarlos.",
    ),
    (
        "Huerto",
        "Turnos de riego, semillas y cosechas del huerto de la calle Olmo.",
    ),
    (
        "Fiestas del barrio",
        "Verbena, paellas, talleres y voluntarios.",
    ),
    (
        "Mercadillo",
        "Se presta, se regala y se cambia entre vecinos.",
    ),
];

/// The area, number and reason of the one post that an administrator has hidden.
pub(super) const HIDDEN: (&str, i64, &str) = (
    "Mercadillo",
    2,
    "Es publicidad de una empresa: el mercadillo es solo entre vecinos.",
);

/// The posts, oldest first.
pub(super) const POSTS: [SamplePost; 27] = [
    SamplePost {
        area: "Avisos",
        author: "carmen",
        days_ago: 41,
        at: (9, 12),
        title: "Bienvenida al tablón de la asociación",
        text: "Desde hoy los avisos de la **Asociación de Vecinos La Fuente** están aquí, \
            además de en el portal del local.\n\nCada tema tiene su sitio: suscríbete a los que \
            te interesen y verás de un vistazo lo que te falta por leer. Si prefieres no entrar, \
            en tu cuenta puedes sacar una dirección para el lector de noticias del móvil.\n\n\
            Quien no se apañe, que pase por el local **martes y jueves de 18 a 20 h** y lo \
            miramos juntos.",
    },
    SamplePost {
        area: "Asambleas",
        author: "carmen",
        days_ago: 40,
        at: (17, 30),
        title: "Convocatoria: asamblea ordinaria de primavera",
        text: "Se convoca asamblea ordinaria en el local de la calle Olmo, 14.\n\n\
            **Orden del día**\n\n1. Lectura y aprobación del acta anterior.\n\
            2. Cuentas del año pasado y presupuesto.\n3. Obras de la plaza: qué nos ha contestado \
            el Ayuntamiento.\n4. Reparto de tareas para las fiestas.\n5. Ruegos y preguntas.\n\n\
            Primera convocatoria a las 18:30, segunda a las 19:00.",
    },
    SamplePost {
        area: "Huerto",
        author: "ibrahim",
        days_ago: 38,
        at: (8, 45),
        title: "Turnos de riego hasta el verano",
        text: "He colgado la hoja en la caseta. Quedan así:\n\n\
            | Día | Mañana | Tarde |\n|---|---|---|\n| Lunes | Ibrahim | Nuria |\n\
            | Miércoles | Julián | Lucía |\n| Viernes | Marta | Tomás |\n| Domingo | Ibrahim | \
            *libre* |\n\nFalta alguien para el domingo por la tarde. Si no podéis un día, \
            avisad aquí y lo cambiamos.",
    },
    SamplePost {
        area: "Obras y arreglos",
        author: "julián",
        days_ago: 36,
        at: (19, 5),
        title: "Ascensor del portal 9: presupuestos",
        text: "Hemos pedido tres presupuestos para cambiar el cuadro de maniobra:\n\n\
            - Ascensores Vega: 6.850 €, cuatro semanas.\n- Elevadores del Norte: 7.200 €, dos \
            semanas, con dos años de garantía.\n- Hermanos Prieto: no hacen ya este modelo.\n\n\
            Lo llevamos a la asamblea. Los papeles completos están en la carpeta azul del local.",
    },
    SamplePost {
        area: "Mercadillo",
        author: "nuria",
        days_ago: 34,
        at: (16, 20),
        title: "Presto: escalera de tres metros y taladro",
        text: "Los uso dos veces al año. Están en el trastero; escribidme y quedamos.\n\n\
            El taladro va con brocas de pared y de madera, **pero no con tacos**.",
    },
    SamplePost {
        area: "Fiestas del barrio",
        author: "lucía",
        days_ago: 33,
        at: (20, 40),
        title: "Hacen falta manos para las fiestas",
        text: "Empezamos a preparar la verbena. De momento buscamos gente para:\n\n\
            - montar y desmontar el escenario (viernes y domingo),\n- la barra, en turnos de dos \
            horas,\n- el taller de cometas para los peques,\n- hablar con los comercios.\n\n\
            Decid en qué os apuntáis y hago la lista.",
    },
    SamplePost {
        area: "Avisos",
        author: "tomás",
        days_ago: 31,
        at: (7, 50),
        title: "Corte de agua el jueves por la mañana",
        text: "El Canal avisa de un corte **el jueves de 9 a 12** en los números pares de la \
            calle Olmo y en toda la plaza, por el cambio de una llave.\n\nConviene llenar un par \
            de garrafas el miércoles por la noche. A quien viva solo y necesite ayuda para \
            subirlas, que avise: nos repartimos.",
    },
    SamplePost {
        area: "Mercadillo",
        author: "tomás",
        days_ago: 30,
        at: (12, 15),
        title: "Ventanas con descuento",
        text: "Mi primo tiene una empresa de ventanas y hace precio a los vecinos.",
    },
    SamplePost {
        area: "Huerto",
        author: "nuria",
        days_ago: 28,
        at: (10, 10),
        title: "Semillas de tomate de la huerta vieja",
        text: "Manolo, el de la huerta del río, nos ha dado semillas de su **tomate rosa**. Las \
            tengo repartidas en sobres en la caseta, uno por parcela.\n\nDice que no las \
            plantemos fuera *hasta que pase San Isidro*.",
    },
    SamplePost {
        area: "Asambleas",
        author: "marta",
        days_ago: 26,
        at: (21, 15),
        title: "Acta de la asamblea ordinaria",
        text: "Asistimos 43 personas. En resumen:\n\n- **Cuentas**: aprobadas por unanimidad. \
            Quedan 2.316 € en caja.\n- **Ascensor del portal 9**: se elige Elevadores del Norte \
            (31 a favor, 8 en contra, 4 abstenciones).\n- **Plaza**: el Ayuntamiento promete los \
            bancos *antes del verano*; se acuerda pedir fecha por escrito.\n- **Fiestas**: se \
            mantiene el fin de semana de siempre.\n\nSi veis algún error, decidlo antes del \
            viernes y lo corrijo.",
    },
    SamplePost {
        area: "Obras y arreglos",
        author: "tomás",
        days_ago: 24,
        at: (8, 30),
        title: "Baldosas sueltas delante de la farmacia",
        text: "Ya se ha caído una persona. He mandado las fotos por la página del Ayuntamiento; \
            el número de aviso es el **2214-881**. Si llamáis, dad ese número: cuantos más \
            seamos, antes vienen.",
    },
    SamplePost {
        area: "Fiestas del barrio",
        author: "julián",
        days_ago: 22,
        at: (19, 45),
        title: "La banda de la escuela de música dice que sí",
        text: "Tocarán el sábado de 20 a 21:30 sin cobrar; solo piden bocadillos y que alguien \
            les ayude con los atriles. Luego, como siempre, la orquesta.",
    },
    SamplePost {
        area: "Avisos",
        author: "marta",
        days_ago: 20,
        at: (18, 5),
        title: "Perdido: gato gris con collar rojo",
        text: "Se llama **Bruno** y falta desde el domingo por la zona del patio del 11. Es \
            confiado con la gente. Mi timbre es el 11, 2.º B.\n\n*Editado de palabra:* ha \
            aparecido en el cuarto de contadores. ¡Gracias a todos!",
    },
    SamplePost {
        area: "Obras y arreglos",
        author: "julián",
        days_ago: 18,
        at: (9, 0),
        title: "Empieza la obra del ascensor del 9",
        text: "Del lunes que viene al viernes siguiente el ascensor **no funciona**. Hemos hecho \
            una lista de vecinos que pueden subir la compra; está en el portal, y aquí podéis \
            apuntaros también.\n\nLos operarios trabajan de 8 a 15 h.",
    },
    SamplePost {
        area: "Mercadillo",
        author: "lucía",
        days_ago: 16,
        at: (17, 55),
        title: "Regalo: cuna y trona",
        text: "En buen estado, las dos plegables. La cuna lleva colchón. Preferimos que se \
            queden en el barrio; si hay más de una familia, lo echamos a suertes.",
    },
    SamplePost {
        area: "Huerto",
        author: "ibrahim",
        days_ago: 14,
        at: (7, 35),
        title: "Primera cosecha: habas para quien quiera",
        text: "Han salido muchas más de las que caben en nuestras neveras. Hay dos cajas en la \
            puerta del local; coged las que vayáis a comer.\n\nDe la receta de mi madre: habas \
            con comino, ajo y un chorro de limón. Se comen templadas.",
    },
    SamplePost {
        area: "Fiestas del barrio",
        author: "lucía",
        days_ago: 13,
        at: (20, 20),
        title: "Programa provisional",
        text: "**Viernes**\n\n- 19:00 Pregón, a cargo de las alumnas de 6.º\n- 20:00 Cena de \
            traje (*yo traje esto, tú trajiste lo otro*)\n\n**Sábado**\n\n- 11:00 Taller de \
            cometas\n- 14:30 Paella; los números se recogen en el local hasta el jueves\n\
            - 20:00 Banda de la escuela de música\n- 22:00 Verbena\n\n**Domingo**\n\n\
            - 12:00 Juegos en la plaza\n- 14:00 Desmontaje y vermú",
    },
    SamplePost {
        area: "Avisos",
        author: "carmen",
        days_ago: 12,
        at: (9, 25),
        title: "El local cierra dos martes",
        text: "Por la formación de voluntarios, los dos próximos martes el local abre solo de \
            19 a 20 h. El resto de los días, como siempre.",
    },
    SamplePost {
        area: "Asambleas",
        author: "nuria",
        days_ago: 10,
        at: (18, 50),
        title: "Propuesta: compartir una furgoneta entre portales",
        text: "Entre los cuatro portales alquilamos furgoneta una vez al mes para el punto \
            limpio. Si la compartimos, **nos sale a la mitad** y la llenamos de verdad.\n\n\
            Lo llevo como punto a la próxima asamblea. Mientras, si os interesa, dejadme dicho \
            qué fin de semana os va mejor.",
    },
    SamplePost {
        area: "Obras y arreglos",
        author: "julián",
        days_ago: 8,
        at: (13, 40),
        title: "El ascensor del 9 ya funciona",
        text: "Terminado dos días antes de lo previsto. Falta la revisión de Industria, que es \
            el miércoles; durante esa mañana estará parado una hora.\n\nGracias a quienes habéis \
            subido bolsas, carritos y a la abuela de Tomás en silla.",
    },
    SamplePost {
        area: "Mercadillo",
        author: "ibrahim",
        days_ago: 7,
        at: (16, 30),
        title: "Cambio clases de guitarra por clases de inglés",
        text: "Llevo diez años tocando y se me da bien enseñar desde cero. Busco a alguien con \
            quien **hablar inglés** una hora a la semana. Tardes o sábados.",
    },
    SamplePost {
        area: "Huerto",
        author: "lucía",
        days_ago: 6,
        at: (11, 20),
        title: "Pulgón en las habas tardías",
        text: "Ha aparecido en las parcelas 4 y 5. Ya hemos echado agua con jabón potásico; por \
            favor, mirad el envés de las hojas en las vuestras y **no uséis otra cosa**, que \
            las abejas están a lo suyo.",
    },
    SamplePost {
        area: "Avisos",
        author: "tomás",
        days_ago: 5,
        at: (8, 15),
        title: "Ojo: falsos revisores del gas",
        text: "Ayer pasaron por los portales 3 y 5. Llevan mono azul y piden 80 € en el acto. \
            La compañía **siempre avisa por carta** y nunca cobra en mano. No abráis, y si \
            insisten, llamad al 091.",
    },
    SamplePost {
        area: "Fiestas del barrio",
        author: "marta",
        days_ago: 4,
        at: (19, 10),
        title: "Números de la paella: quedan 60",
        text: "De 200 quedan 60. Son 4 €, los menores de doce años no pagan. Hay opción de \
            verduras: decidlo al recogerlos, para contar las raciones.",
    },
    SamplePost {
        area: "Asambleas",
        author: "carmen",
        days_ago: 3,
        at: (18, 0),
        title: "Respuesta del Ayuntamiento sobre la plaza",
        text: "Ha llegado por escrito: los bancos se colocan **la primera quincena del mes que \
            viene**, y la fuente se arregla «cuando haya partida». Adjuntaremos la carta en el \
            tablón del local.\n\n> Agradecemos el interés de la asociación y lamentamos la \
            demora.\n\nAlgo es algo.",
    },
    SamplePost {
        area: "Obras y arreglos",
        author: "nuria",
        days_ago: 2,
        at: (10, 5),
        title: "Goteras en el local: vienen el lunes",
        text: "Es la junta de la claraboya. El seguro cubre la reparación menos 150 €. He puesto \
            un cubo y he apartado los libros de la estantería de la derecha; no los volváis a \
            colocar hasta que esté seco.",
    },
    SamplePost {
        area: "Avisos",
        author: "carmen",
        days_ago: 1,
        at: (9, 40),
        title: "Recogida de muebles viejos: el miércoles por la noche",
        text: "El camión pasa el miércoles a partir de las 23 h. Dejadlos **en la acera de los \
            impares**, no antes de las 21 h, y avisad en el 010 de lo que vais a sacar.\n\n\
            Antes de tirar una silla, mirad si alguien la quiere en el \
            [mercadillo](/areas/6).",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_post_has_a_known_author_and_area_and_comes_after_the_one_before() {
        for pair in POSTS.windows(2) {
            assert!(pair[0].days_ago >= pair[1].days_ago, "{}", pair[1].title);
        }
        for post in &POSTS {
            assert!(MEMBERS.contains(&post.author), "{}", post.author);
            assert!(
                AREAS.iter().any(|(name, _)| *name == post.area),
                "{}",
                post.area
            );
        }
    }

    #[test]
    fn the_hidden_post_is_the_advertisement() {
        let (area, number, _) = HIDDEN;
        let in_area = POSTS.iter().filter(|post| post.area == area);
        let post = in_area.clone().nth(number as usize - 1);
        assert_eq!(post.map(|post| post.title), Some("Ventanas con descuento"));
    }
}
